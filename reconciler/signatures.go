package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"mooring.dev/policy"
	"mooring.dev/reconciler/promote"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// codeSignature is the finding about commits that are not signed as they must.
const codeSignature = "signature"

// Bounds of the commits whose signatures are looked at together.
const (
	maxBehind = 5000 // known because they are behind the commit let in last
	maxSigned = 1000
	maxNamed  = 5 // commits that one reason names
)

// signature is what a commit's signature comes to by the keys in force.
func (w *world) signature(c sources.Commit) sources.Signature {
	if w.signers == nil {
		return c.Signature
	}
	return w.signers.Check(c, w.at)
}

// judges of the control branch's own commits are the keys that were in force
// before them: a commit does not vouch for itself, but for the very first.
func (w *world) judges(before *world) *world {
	if before == nil || before.signers == nil {
		return w
	}
	return &world{at: w.at, signers: before.signers}
}

// commitInput is what policy is told of a commit.
func (w *world) commitInput(c sources.Commit) policy.Commit {
	found := w.signature(c)
	return policy.Commit{
		SHA: c.SHA, Author: identity(c.Author), Committer: identity(c.Committer), Message: c.Message,
		Trailers: c.Trailers, TimeNS: c.Time.UnixNano(),
		Signature: policy.Signature{Status: found.Status, Kind: found.Kind, KeyID: found.KeyID, Signer: found.Signer},
	}
}

// signersID names the keys in force, as far as they matter here.
func (p *pass) signersID() string {
	if p.w.signers == nil || !p.spec.Verifies() {
		return ""
	}
	return "|" + p.w.signers.ID()
}

// unsigned is why a commit may not come in here, whatever policy says; "" when
// it may. Commits that cannot be read are not signed.
func (p *pass) unsigned(ctx context.Context, head sources.Commit) string {
	if !p.spec.Verifies() {
		return ""
	}
	commits, err := []sources.Commit{head}, error(nil)
	if from := p.admittedCommit(); p.spec.Verify == manifest.VerifyRange && from != "" {
		commits, err = p.e.since(ctx, from, head)
	}
	var lines []string
	for _, c := range commits {
		if s := p.w.signature(c); s.Status != "valid" {
			lines = append(lines, fmt.Sprintf("commit %s by %s: %s", short(c.SHA), c.Author.Name, signatureText(s)))
		}
	}
	if more := len(lines) - maxNamed; more > 0 {
		lines = append(lines[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	if err != nil {
		lines = append(lines, err.Error())
	}
	if len(lines) == 0 {
		return ""
	}
	return fmt.Sprintf("%s takes only commits signed by a known key (verify: %s): %s", p.spec.Name, p.spec.Verify, strings.Join(lines, "; "))
}

// withSignatures is a decision with what is not signed beside it.
func (p *pass) withSignatures(ctx context.Context, d policy.Decision) policy.Decision {
	why := p.unsigned(ctx, p.head.snap.Commit)
	if why == "" {
		return d
	}
	return stricter(d, policy.Decision{ID: d.ID, Point: d.Point, Outcome: policy.Deny, Findings: []policy.Finding{{Code: codeSignature, Msg: why, Level: "deny"}}})
}

// signatureText is what a signature that is not valid comes to, for people.
func signatureText(s sources.Signature) string {
	if s.Status == "" {
		return "it is not signed"
	}
	text := cmp.Or(s.Why, "its signature is "+s.Status)
	if s.KeyID == "" {
		return text
	}
	return strings.Join(strings.Fields(s.Kind+" key "+s.KeyID), " ") + ": " + text
}

// since are the commits that head brings beside what is behind from, head first
// and always.
func (e *environment) since(ctx context.Context, from string, head sources.Commit) ([]sources.Commit, error) {
	known, unread := map[string]bool{}, ""
	for _, c := range e.history(ctx, from, nil, maxBehind) {
		known[c.SHA] = true
	}
	out, seen := []sources.Commit{head}, map[string]bool{head.SHA: true}
	for next := head.Parents; len(next) > 0; next = next[1:] {
		sha := next[0]
		if sha == "" || seen[sha] || known[sha] {
			continue
		}
		seen[sha] = true
		if len(out) >= maxSigned {
			return out, fmt.Errorf("more than %d commits since %s: bring them in smaller parts", maxSigned, short(from))
		}
		snap, err := e.d.opts.Source.Open(ctx, sha)
		if err != nil {
			unread = sha
			continue
		}
		out = append(out, snap.Commit)
		next = append(next[:len(next):len(next)], snap.Commit.Parents...)
	}
	if unread != "" {
		return out, fmt.Errorf("commit %s cannot be read", short(unread))
	}
	return out, nil
}

// unsignedMove is why content would not be let in here after it was moved; ""
// when it would.
func (p *pass) unsignedMove(ctx context.Context, m promote.Move) string {
	if !p.spec.Verifies() {
		return ""
	}
	snap, err := p.e.d.opts.Source.Open(ctx, m.Commit)
	if err != nil {
		return fmt.Sprintf("commit %s cannot be read", short(m.Commit))
	}
	why := ""
	forward := !m.Offer && p.movesForward(ctx, m)
	if forward || p.spec.Verify == manifest.VerifyRange {
		why = p.unsigned(ctx, snap.Commit)
	}
	if why == "" && !forward && !m.Offer && !p.e.d.opts.Signs { // what is offered, the host merges
		why = fmt.Sprintf("%s takes only signed commits, and the commit that brings this content would not be: start mooring with --signing-key", p.spec.Name)
	}
	return why
}

// movesForward: the branch goes to the source's very commit, so that no commit
// is made.
func (p *pass) movesForward(ctx context.Context, m promote.Move) bool {
	if p.spec.Path != "" {
		return false
	}
	update, err := p.e.d.opts.Source.Classify(ctx, m.Expect, m.Commit)
	return err == nil && update != sources.UpdateForced
}

// readSigners opens the keys that a pipeline names.
func (d *Daemon) readSigners(w *world, p *manifest.Pipeline) (err error) {
	if d.opts.Signers == nil {
		if p.Signatures != (manifest.Signatures{}) {
			return errors.New("signatures: nothing here can check them")
		}
		return nil
	}
	w.signers, err = d.opts.Signers(w.control.Tree, p.Signatures)
	return err
}
