package aws

import (
	"context"
	"errors"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

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
}

// subjects are the functions this survey is about.
func (s *sweep) subjects() []*subject {
	byName := map[string]*subject{}
	at := func(physical string) *subject {
		if byName[physical] == nil {
			byName[physical] = &subject{physical: physical}
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

// duty is which layers of a function are looked at now.
type duty struct{ state, layers, policies map[string]bool }

// functions looks at each function: each layer in its own rotation and lane,
// all at once where the bulk shows something new, and once more where the bulk
// does not show it at all.
func (s *sweep) functions(ctx context.Context) {
	subjects := s.subjects()
	now := s.duties(subjects)
	besides := s.settingsDue(subjects)
	parallel(s.p.o.Parallel, subjects, func(sub *subject) {
		err := s.lookAt(ctx, sub, now)
		if err == nil && sub.layers != nil {
			err = s.lookBeside(ctx, sub, besides[sub.physical])
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

// duties picks what is due in each layer.
func (s *sweep) duties(subjects []*subject) duty {
	names := make([]string, 0, len(subjects))
	for _, sub := range subjects {
		names = append(names, sub.physical)
	}
	m := &s.p.memory
	return duty{
		state: s.dueWithin(names, func(name string) time.Time {
			if l, ok := recall(m, m.functions, name); ok {
				return l.at
			}
			return time.Time{}
		}, s.p.o.LayerAge/stateShare, "GetFunction", 2),
		layers: s.dueWithin(names, func(name string) time.Time {
			if l, ok := recall(m, m.layers, name); ok {
				return l.at
			}
			return time.Time{}
		}, s.p.o.LayerAge, "ListAliases", callsOfLayers),
		policies: s.dueWithin(names, func(name string) time.Time {
			if l, ok := recall(m, m.policies, name); ok {
				return l.at
			}
			return time.Time{}
		}, s.p.o.LayerAge, "GetPolicy", 2),
	}
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
	deep := all || changed || now.layers[sub.physical] || !looked || layers.touched != touches
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
		if layers, err = s.lookLayers(ctx, sub); err != nil {
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

// report turns looks into answers about the function, its children, and what
// nobody declared.
func (s *sweep) report(ctx context.Context, sub *subject) {
	if sub.look.absent {
		if !sub.orphan && sub.function.Ref != (manifest.Ref{}) {
			s.see(sub.function.Ref, providers.Live{})
		}
		for _, child := range sub.children {
			if child.Ref.Kind != manifest.KindTrigger { // a mapping outlives its function
				s.see(child.Ref, providers.Live{})
			}
		}
		s.reportMappings(ctx, sub)
		return
	}
	if sub.function.Ref != (manifest.Ref{}) {
		live, err := s.p.functionLive(sub.function, sub.look)
		if err == nil && sub.layers != nil {
			err = sub.layers.failed[manifest.KindFunction]
		}
		switch {
		case err != nil:
			s.fail(sub.function.Ref, err)
		case sub.orphan && s.p.owns(live.Owner):
			s.orphan(sub.function.Ref, live)
		case !sub.orphan:
			// Code and configuration are as fresh as the bulk; what is older is
			// told by the layer.
			s.see(sub.function.Ref, live)
		}
	}
	s.reportChildren(ctx, sub) // before mappings: they are found by the alias
	s.reportMappings(ctx, sub)
}

// reportChildren answers for aliases, permissions, URLs, asynchronous
// invocation and concurrency.
func (s *sweep) reportChildren(ctx context.Context, sub *subject) {
	owner := sub.look.owner()
	for _, child := range sub.children {
		live, err := s.child(ctx, sub, child, owner)
		switch {
		case err != nil:
			s.fail(child.Ref, err)
		case child.Ref.Kind != manifest.KindTrigger:
			if live.SeenAt.IsZero() {
				live.SeenAt = sub.seenAt(child.Ref.Kind)
			}
			s.see(child.Ref, live)
		}
	}
	if !sub.orphan && s.p.watches(owner) && sub.function.Ref != (manifest.Ref{}) {
		s.extrasOf(sub)
	}
}

// seenAt is when a kind of child was looked at.
func (sub *subject) seenAt(kind string) time.Time {
	switch kind {
	case manifest.KindPermission:
		return sub.policies.at
	case manifest.KindConcurrency:
		return sub.look.at
	}
	return sub.layers.at
}

// failed is why a kind of child is not known.
func (sub *subject) failed(kind string) error {
	if kind == manifest.KindPermission {
		return sub.policies.failed
	}
	return sub.layers.failed[kind]
}

func (s *sweep) child(ctx context.Context, sub *subject, child manifest.Resource, owner providers.Owner) (providers.Live, error) {
	l := sub.layers
	if err := sub.failed(child.Ref.Kind); err != nil {
		return providers.Live{}, about("observe", child.Ref, err)
	}
	switch spec := child.Spec.(type) {
	case *manifest.AliasSpec:
		for i := range l.aliases {
			if awssdk.ToString(l.aliases[i].Name) == child.Key {
				live := aliasKind{s.p}.live(child.Ref, &l.aliases[i], owner)
				return live, s.p.ownMoves(ctx, s.cl, &live, &l.aliases[i])
			}
		}
	case *manifest.PermissionSpec:
		q := qualifierOf(child, spec.Alias)
		if policy := sub.policies.of[q]; policy != nil {
			if statement := policy.statement(child.Key, q); statement != nil {
				return permissionKind{s.p}.live(child.Ref, statement, owner), nil
			}
		}
	case *manifest.URLSpec:
		for i := range l.urls {
			if _, q := functionOf(awssdk.ToString(l.urls[i].FunctionArn)); q == qualifierOf(child, spec.Alias) {
				return urlKind{s.p}.live(child.Ref, &l.urls[i], owner), nil
			}
		}
	case *manifest.AsyncSpec:
		for i := range l.async {
			if asyncQualifier(&l.async[i]) == qualifierOf(child, spec.Alias) {
				return asyncKind{s.p}.live(child.Ref, &l.async[i], owner), nil
			}
		}
	case *manifest.ConcurrencySpec:
		return concurrencyKind{s.p}.live(child.Ref, sub.look), nil
	case *manifest.ProvisionedConcurrencySpec:
		return provisionedKind{s.p}.live(child.Ref, sub.settings, sub.look), sub.settings.known(partProvisioned)
	case *manifest.RuntimeManagementSpec:
		return runtimeKind{s.p}.live(child.Ref, sub.settings, sub.look), sub.settings.known(partRuntimes)
	case *manifest.TriggerSpec:
	default:
		return providers.Live{}, wrongSpec(child)
	}
	return providers.Live{}, nil
}

// asyncQualifier: AWS names the function itself $LATEST here.
func asyncQualifier(c *types.FunctionEventInvokeConfig) string {
	_, q := functionOf(awssdk.ToString(c.FunctionArn))
	if q == latest {
		return ""
	}
	return q
}

// reportMappings answers for triggers, and for mappings nobody declared.
func (s *sweep) reportMappings(ctx context.Context, sub *subject) {
	if s.mappingsErr != nil {
		for _, child := range sub.children {
			if child.Ref.Kind == manifest.KindTrigger {
				s.fail(child.Ref, about("observe", child.Ref, s.mappingsErr))
			}
		}
		return
	}
	k := triggerKind{s.p}
	s.forgetTags(sub)
	taken := map[string]bool{}
	var failed error
	for _, child := range sub.children {
		if child.Ref.Kind != manifest.KindTrigger {
			continue
		}
		live, uuid, err := s.trigger(ctx, k, sub, child)
		if err != nil {
			failed = errors.Join(failed, err)
			s.fail(child.Ref, about("observe", child.Ref, err))
			continue
		}
		taken[uuid] = uuid != ""
		s.see(child.Ref, live)
	}
	if failed == nil {
		s.strayMappings(ctx, k, sub, taken)
	}
}

// forgetTags makes the tags of a function's mappings due along with its other
// layers.
func (s *sweep) forgetTags(sub *subject) {
	if sub.layers == nil || !sub.layers.at.Equal(s.at) {
		return
	}
	for i := range s.mappings {
		name, _ := functionOf(awssdk.ToString(s.mappings[i].FunctionArn))
		uuid := awssdk.ToString(s.mappings[i].UUID)
		if l, ok := recall(&s.p.memory, s.p.memory.owners, uuid); ok && name == sub.physical && l.at.Before(s.at) {
			forget(&s.p.memory, s.p.memory.owners, uuid)
		}
	}
}

func (s *sweep) trigger(ctx context.Context, k triggerKind, sub *subject, child manifest.Resource) (providers.Live, string, error) {
	if uuid, ok := recall(&s.p.memory, s.p.memory.mappings, child.Ref); ok {
		if c := s.mappingByID(uuid, sub.physical); c != nil {
			live, err := s.triggerLive(ctx, k, sub, child, c)
			return live, uuid, err
		}
	}
	c, err := k.match(ctx, s.cl, child, s.mappings)
	if err != nil || c == nil {
		return providers.Live{}, "", err
	}
	live, err := s.triggerLive(ctx, k, sub, child, c)
	return live, awssdk.ToString(c.UUID), err
}

func (s *sweep) mappingByID(uuid, physical string) *types.EventSourceMappingConfiguration {
	for i := range s.mappings {
		if name, _ := functionOf(awssdk.ToString(s.mappings[i].FunctionArn)); awssdk.ToString(s.mappings[i].UUID) == uuid && name == physical {
			return &s.mappings[i]
		}
	}
	return nil
}

func (s *sweep) triggerLive(ctx context.Context, k triggerKind, sub *subject, child manifest.Resource, c *types.EventSourceMappingConfiguration) (providers.Live, error) {
	owner, err := s.p.mappingOwner(ctx, s.cl, c, child.Ref, sub.look.owner())
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(child.Ref, c, owner), nil
}

// strayMappings are mappings on our function that nobody wants: our own ones
// are orphans, all others extras.
func (s *sweep) strayMappings(ctx context.Context, k triggerKind, sub *subject, taken map[string]bool) {
	for i := range s.mappings {
		c := &s.mappings[i]
		uuid := awssdk.ToString(c.UUID)
		if name, _ := functionOf(awssdk.ToString(c.FunctionArn)); name != sub.physical || taken[uuid] {
			continue
		}
		tags, err := s.p.mappingTags(ctx, s.cl, c)
		if err != nil {
			s.fail(manifest.Ref{}, err)
			continue
		}
		live := k.live(manifest.Ref{}, c, ownerOf(tags))
		ref, err := manifest.ParseRef(tags[tagResource])
		switch {
		case s.p.owns(live.Owner) && err == nil:
			s.orphan(ref, live)
		case sub.look.absent || sub.orphan || !s.p.watches(sub.look.owner()):
		default:
			s.extra(providers.Extra{
				Ref:    manifest.Ref{Kind: manifest.KindTrigger, Name: sub.function.Ref.Name + "." + uuid},
				Parent: sub.function.Ref, Spec: live.Spec, Guard: live.Guard,
			})
		}
	}
}
