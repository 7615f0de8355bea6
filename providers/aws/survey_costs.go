package aws

import "mooring.dev/sources/manifest"

const (
	// pageOfVersions is how many versions, $LATEST among them, a listing shows
	// a call.
	pageOfVersions = 50
	// callsAround are what every look around a function takes of Lambda's common
	// lane: aliases, URLs and asynchronous invocation.
	callsAround = 3
)

// callsOfState is what a look at a function's state takes of GetFunction's
// lane: one for itself and one for each declared alias.
func callsOfState(sub *subject) int {
	calls := 1
	for _, child := range sub.children {
		if _, ok := child.Spec.(*manifest.AliasSpec); ok {
			calls++
		}
	}
	return calls
}

// callsOfLayers is what a look around a function takes of the common lane: its
// versions where their listing is old, and the settings that are declared, too.
func (s *sweep) callsOfLayers(sub *subject) int {
	calls := callsAround
	if s.signedAt().IsZero() { // code signing is asked for function by function
		calls++
	}
	if s.declaresSettings(sub) {
		calls += s.callsOfSettings(sub)
	}
	l, known := recall(&s.p.memory, s.p.memory.versions, sub.physical)
	switch {
	case !known:
		calls++
	case s.p.versionsOld(s.cl, l):
		calls += len(l.numbers)/pageOfVersions + 1
	}
	return calls
}

// callsOfPolicies is what a look at a function's policies takes of GetPolicy's
// lane: one for itself and one for each alias.
func (s *sweep) callsOfPolicies(sub *subject) int {
	if l, ok := recall(&s.p.memory, s.p.memory.layers, sub.physical); ok {
		return 1 + len(l.aliases)
	}
	return callsOfState(sub) // those that are declared
}

// callsOfSettings is what a look at a function's settings takes of the common
// lane: recursion and provisioned concurrency, and the runtime of $LATEST and of
// each version that serves.
func (s *sweep) callsOfSettings(sub *subject) int {
	l, ok := recall(&s.p.memory, s.p.memory.layers, sub.physical)
	if !ok {
		return 2 + callsOfState(sub)
	}
	return 3 + len(s.p.servedVersions(sub.physical, l.aliases))
}
