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

// functions looks at each function: each layer in its own rotation and lane,
// all at once where the bulk shows something new, and once more where the bulk
// does not show it at all.
func (s *sweep) functions(ctx context.Context) {
	subjects := s.subjects()
	s.signing(ctx, subjects)
	now := s.duties(subjects)
	parallel(s.p.o.Parallel, subjects, func(sub *subject) {
		err := s.lookAt(ctx, sub, now)
		if err == nil && sub.layers != nil {
			err = s.lookBeside(ctx, sub, now.settings[sub.physical])
		}
		if err != nil {
			s.failSubject(sub, err)
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

// lookAt brings what is remembered of a function up to date.
func (s *sweep) lookAt(ctx context.Context, sub *subject, now duty) error {
	if s.bulkErr != nil {
		return s.bulkErr
	}
	bulk, all := s.bulk[sub.physical], false
	if bulk == nil {
		// Not in the listing: asked once more by name, in the lane that is idle.
		look, err := s.p.look(ctx, s.cl, sub.physical)
		if err != nil {
			return err
		}
		sub.look = look
		if look.absent {
			forget(&s.p.memory, s.p.memory.layers, sub.physical)
			return nil
		}
		bulk, all = &look.config, true
	}
	fingerprint := digestOf(bulk)
	touches := s.p.memory.touches(manifest.KindFunction + " " + sub.physical)
	look, known := recall(&s.p.memory, s.p.memory.functions, sub.physical)
	layers, looked := recall(&s.p.memory, s.p.memory.layers, sub.physical)
	changed := !known || look.absent || look.fingerprint != fingerprint
	settling := false
	if known && !look.absent {
		settling, _ = functionState(&look.config)
	}
	written := !looked || layers.touched != touches
	if !written {
		sub.cl = s.lazy
	}
	deep := all || changed || now.layers[sub.physical] || written
	var err error
	if deep || settling || now.state[sub.physical] {
		if look, err = s.p.look(ctx, s.cl, sub.physical); err != nil {
			return err
		}
		if look.absent { // gone since the listing
			sub.look = look
			return nil
		}
		look.fingerprint = fingerprint
		if !deep {
			if deep, err = s.pointsElsewhere(ctx, sub, layers); err != nil {
				return err
			}
		}
		if err = s.p.lookVersions(ctx, s.cl, sub.physical, look, deep); err != nil {
			return err
		}
	}
	if deep {
		if layers, err = s.lookLayers(ctx, sub, written); err != nil {
			return err
		}
		layers.touched = againIf(touches, sortedValues(layers.failed)...)
		remember(&s.p.memory, s.p.memory.layers, sub.physical, layers)
	}
	sub.look, sub.layers = look, layers
	s.policiesOf(ctx, sub, touches, all || changed || now.policies[sub.physical])
	return nil
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
