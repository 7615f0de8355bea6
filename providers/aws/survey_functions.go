package aws

import (
	"context"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// subject is one function of a survey with its wanted children.
type subject struct {
	physical string
	function manifest.Resource // zero Ref when only children are wanted
	orphan   bool
	children []manifest.Resource
	look     *functionLook
	layers   *functionLayers
	policies *policiesLook
	settings *settingsLook // nil: not looked at yet
	cl       *clients      // that its mappings' tags are asked for by
	err      error         // why nothing is known of it
}

// subjects are the functions this survey is about.
func (s *sweep) subjects() []*subject {
	byName := map[string]*subject{}
	at := func(physical string) *subject {
		if byName[physical] == nil {
			byName[physical] = &subject{physical: physical, cl: s.cl}
		}
		return byName[physical]
	}
	for _, res := range s.want {
		switch {
		case res.Ref.Kind == manifest.KindFunction:
			at(res.Physical).function = res
		case onFunction[res.Ref.Kind]:
			sub := at(res.Physical)
			sub.children = append(sub.children, res)
		}
	}
	for physical, res := range s.orphansOf(manifest.KindFunction) {
		if byName[physical] == nil {
			sub := at(physical)
			sub.function, sub.orphan = res, true
		}
	}
	out := make([]*subject, 0, len(byName))
	for _, physical := range sortedKeys(byName) {
		out = append(out, byName[physical])
	}
	return out
}

// functions looks at each function: each layer in its own rotation and by its
// own lane's crew, all at once where the bulk shows something new, and once
// more where the bulk does not show it at all. What was seen is told of when
// what triggers are found by was looked at too.
func (s *sweep) functions(ctx context.Context) {
	subjects := s.subjects()
	s.signing(ctx, subjects)
	t := &tour{s: s, crews: newCrews(s.p.o.Parallel, s.p.o.Parallel == 1), now: s.duties(subjects)}
	t.through(ctx, subjects)
	s.sources.Wait()
	parallel(s.p.o.Parallel, subjects, func(sub *subject) {
		if sub.err != nil {
			s.failSubject(sub, sub.err)
			return
		}
		if sub.layers != nil {
			s.layer(layerState, sub.look.at)
			s.layer(layerFunctions, sub.layers.at)
			s.layer(layerPolicies, sub.policies.at)
		}
		s.report(ctx, sub)
	})
}

// failSubject: nothing is known of the function and its children.
func (s *sweep) failSubject(sub *subject, err error) {
	if sub.function.Ref != (manifest.Ref{}) {
		s.fail(sub.function.Ref, about("observe", sub.function.Ref, err))
	}
	for _, child := range sub.children {
		s.fail(child.Ref, about("observe", child.Ref, err))
	}
}

// policiesOf brings what is remembered of a function's policies up to date.
func (s *sweep) policiesOf(ctx context.Context, sub *subject, touches int, due bool) {
	policies, looked := recall(&s.p.memory, s.p.memory.policies, sub.physical)
	if due || !looked || policies.touched != touches {
		policies = s.lookPolicies(ctx, sub)
		policies.touched = againIf(touches, policies.failed)
		remember(&s.p.memory, s.p.memory.policies, sub.physical, policies)
	}
	sub.policies = policies
}

// againIf is what a look is marked with: one with a failure that may pass is
// due again in the next survey.
func againIf(touches int, failures ...error) int {
	for _, err := range failures {
		if err != nil && !providers.KindOf(err).Permanent() {
			return -1
		}
	}
	return touches
}

func sortedValues(failed map[string]error) []error {
	var out []error
	for _, kind := range sortedKeys(failed) {
		out = append(out, failed[kind])
	}
	return out
}
