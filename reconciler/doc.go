// Package reconciler is the shell of Mooring: the daemon that fetches what is
// declared, looks at what lives, asks the pure planner, rollout and promotion
// what to do next, lets policy decide, acts, and remembers. It is the only
// package that knows everyone, and it knows them by their contracts: it
// refuses to import a platform, a policy language or a version control
// system.
//
// One pass of one environment:
//
//	fetch → load and render → observe → facts to the journal → plan (pure)
//	→ gate (policy) → act (one guarded step per resource) → report
//
// Everything long (a canary, a hold, a soak) emerges from passes: there is no
// workflow engine, and a restart is just the next pass.
//
// Glossary: declared is what Git says; applied is what was last seen in place
// of a release; live is what the provider shows now; a fact is something
// observed; a step is one change to one resource; drift is live that differs
// from declared with no release to explain it; a hold is a recorded stop with
// owner, reason and expiry.
package reconciler
