package aws

import (
	"context"

	"mooring.dev/providers/aws/quota"
	"mooring.dev/sources/manifest"
)

// tour is a survey's looks at functions. Each function goes from lane to lane:
// its state, its layers, then its policies beside its settings, each when due.
type tour struct {
	s     *sweep
	crews *crews
	now   duty
}

// turn is what is to be done about one function.
type turn struct {
	sub         *subject
	fingerprint string // of what the bulk shows; "" where it does not show it
	touches     int    // writes before the tour
	// asked: the state is looked at, which may show another version.
	asked bool
	// deep: all that stands around the function is due; all: its policies too.
	deep, all bool
	// written: what the bulk shows may be from before a write.
	written bool
}

// through goes through all subjects.
func (t *tour) through(ctx context.Context, subjects []*subject) {
	var turns []*turn
	for _, sub := range subjects {
		if sub.err = t.s.bulkErr; sub.err == nil {
			turns = append(turns, t.turnOf(sub))
		}
	}
	for _, u := range t.furthestFirst(turns) {
		t.begin(ctx, u)
	}
	t.crews.wait()
}

// furthestFirst sorts those first that have somewhere to go on to: who is only
// asked for its state, which are the most, keeps no other lane waiting.
func (t *tour) furthestFirst(turns []*turn) []*turn {
	var far, near []*turn
	for _, u := range turns {
		if u.deep || t.now.policies[u.sub.physical] || t.now.settings[u.sub.physical] {
			far = append(far, u)
		} else {
			near = append(near, u)
		}
	}
	return append(far, near...)
}

// turnOf tells from memory what is due.
func (t *tour) turnOf(sub *subject) *turn {
	s, m := t.s, &t.s.p.memory
	u := &turn{sub: sub, touches: m.touches(manifest.KindFunction + " " + sub.physical)}
	bulk := s.bulk[sub.physical]
	if bulk == nil {
		// Not in the listing: asked once more by name, in the lane that is idle.
		u.asked, u.deep, u.all, u.written = true, true, true, true
		return u
	}
	u.fingerprint = digestOf(bulk)
	look, known := recall(m, m.functions, sub.physical)
	layers, looked := recall(m, m.layers, sub.physical)
	u.all = !known || look.absent || look.fingerprint != u.fingerprint
	settling := false
	if known && !look.absent {
		settling, _ = functionState(&look.config)
	}
	u.written = u.touches != 0
	if looked {
		u.written = layers.touched != u.touches
		if !u.written {
			sub.cl = s.lazy
		}
	}
	u.deep = u.all || !looked || t.now.layers[sub.physical] || u.written
	u.asked = u.deep || settling || t.now.state[sub.physical]
	sub.look, sub.layers = look, layers
	return u
}

func (t *tour) lane(operation string) *quota.Lane {
	return t.s.p.o.Quota.Lane(scopeOf(t.s.p.o), "Lambda", operation)
}

func (t *tour) begin(ctx context.Context, u *turn) {
	if !u.asked {
		t.beside(ctx, u)
		return
	}
	around := func() {
		if u.sub.err = t.around(ctx, u); u.sub.err == nil {
			t.beside(ctx, u)
		}
	}
	t.crews.hand(t.lane("GetFunction"), func() {
		u.sub.err = t.state(ctx, u)
		switch {
		case u.sub.err != nil || u.sub.look.absent:
		case u.deep:
			t.crews.hand(t.lane("ListAliases"), around)
		default: // it has nothing to do in the common lane, or next to nothing
			around()
		}
	})
}

// state looks at a function's state.
func (t *tour) state(ctx context.Context, u *turn) error {
	s, sub := t.s, u.sub
	look, err := s.p.look(ctx, s.cl, sub.physical)
	if err != nil {
		return err
	}
	known := sub.layers
	sub.look, sub.layers = look, nil
	if look.absent { // gone, since the listing or before
		if u.fingerprint == "" {
			forget(&s.p.memory, s.p.memory.layers, sub.physical)
		}
		return nil
	}
	if u.fingerprint == "" {
		u.fingerprint = digestOf(&look.config)
	}
	sub.layers = known
	look.fingerprint = u.fingerprint
	if !u.deep {
		u.deep, err = s.pointsElsewhere(ctx, sub, known)
	}
	return err
}

// around looks at a function's versions, and where due at what stands around
// it.
func (t *tour) around(ctx context.Context, u *turn) error {
	s, m := t.s, &t.s.p.memory
	if err := s.p.lookVersions(ctx, s.cl, u.sub.physical, u.sub.look, u.deep); err != nil || !u.deep {
		return err
	}
	layers, err := s.lookLayers(ctx, u.sub, u.written)
	if err != nil {
		return err
	}
	layers.touched = againIf(u.touches, sortedValues(layers.failed)...)
	remember(m, m.layers, u.sub.physical, layers)
	u.sub.layers = layers
	return nil
}

// beside looks at a function's policies and at its settings, where due.
func (t *tour) beside(ctx context.Context, u *turn) {
	name := u.sub.physical
	t.crews.hand(t.lane("GetPolicy"), func() {
		t.s.policiesOf(ctx, u.sub, u.touches, u.all || t.now.policies[name])
	})
	t.crews.hand(t.lane("GetRuntimeManagementConfig"), func() {
		u.sub.err = t.s.lookBeside(ctx, u.sub, t.now.settings[name])
	})
}
