package memory

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Hand is somebody other than Mooring, with a console.
type Hand struct {
	p       *Platform
	actor   string
	service bool
}

// Manual is what a person does by hand, under this name in the audit trail.
func (p *Platform) Manual(actor string) Hand { return Hand{p: p, actor: actor} }

// Service is what the platform does by itself, with its own explanation.
func (p *Platform) Service(name string) Hand { return Hand{p: p, actor: name, service: true} }

// Set writes one field of a live thing; value is canonical JSON text. Values
// of sensitive variables are given plainly and kept as tokens.
func (h Hand) Set(n Name, path, value string) error {
	return h.edit(n, func(t *thing) error {
		if variable, ok := strings.CutPrefix(path, "environment."); ok && manifest.SensitiveName(variable) {
			t.sensitive[path] = true
			value = token(value)
		}
		t.fields[path] = value
		return nil
	})
}

// Unset takes one field away.
func (h Hand) Unset(n Name, path string) error {
	return h.edit(n, func(t *thing) error {
		delete(t.fields, path)
		return nil
	})
}

// Explain sets the platform's own explanation of a thing's state.
func (h Hand) Explain(n Name, note string) error {
	return h.edit(n, func(t *thing) error {
		t.note = note
		return nil
	})
}

// Fail says of a thing that its last change did not take hold.
func (h Hand) Fail(n Name, why string) error {
	return h.edit(n, func(t *thing) error {
		t.failed = why
		return nil
	})
}

// FailAt says it of one field.
func (h Hand) FailAt(n Name, path, why string) error {
	return h.edit(n, func(t *thing) error {
		t.failed, t.faults = why, map[string]string{path: why}
		return nil
	})
}

// Address gives a thing another address, as when it was made again elsewhere:
// what refers to this attribute ("arn", "url", "name") has to follow.
func (h Hand) Address(n Name, attribute, value string) error {
	return h.edit(n, func(t *thing) error {
		t.addresses = maps.Clone(t.addresses)
		if t.addresses == nil {
			t.addresses = map[string]string{}
		}
		t.addresses[attribute] = value
		return nil
	})
}

// Own writes or, with a zero Owner, strips ownership tags.
func (h Hand) Own(n Name, o providers.Owner) error {
	return h.edit(n, func(t *thing) error {
		t.owner = o
		return nil
	})
}

// Publish makes a version of a function as it lives.
func (h Hand) Publish(n Name) error {
	return h.edit(n, func(t *thing) error {
		t.last++
		v := published{number: strconv.Itoa(t.last), snapshot: specOf(n.Kind, t.fields, t.sensitive).Snapshot, code: t.code(), ready: h.p.o.Now()}
		t.versions[v.number] = v
		return nil
	})
}

// Point repoints an alias of a function.
func (h Hand) Point(physical, alias string, to providers.Routing) error {
	return h.PointAt(Name{manifest.KindAlias, physical, alias}, to)
}

// PointAt repoints an alias of any kind.
func (h Hand) PointAt(n Name, to providers.Routing) error {
	return h.edit(n, func(t *thing) error {
		if err := h.p.routable(n, to); err != nil {
			return err
		}
		h.p.point(t, to)
		return nil
	})
}

// Add makes a thing by hand: an extra mapping, permission or policy on a
// function or role, a queue, a secret. Fields are canonical JSON text.
func (h Hand) Add(n Name, fields map[string]string) error {
	p := h.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.live(n); ok {
		return providers.Errorf(providers.Conflict, "add %s: it lives already", n)
	}
	t := p.birth(n)
	for path, value := range fields {
		t.fields[path] = value
	}
	h.log(t)
	return nil
}

// Remove deletes a thing and what goes with it.
func (h Hand) Remove(n Name) error {
	return h.edit(n, func(t *thing) error {
		t.revision-- // kill counts one itself
		h.p.kill(t)
		return nil
	})
}

func (h Hand) edit(n Name, change func(*thing) error) error {
	p := h.p
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.live(n)
	if !ok {
		return fmt.Errorf("edit %s: it does not live", n)
	}
	p.touch(t)
	if err := change(t); err != nil {
		return fmt.Errorf("edit %s: %w", n, err)
	}
	h.log(t)
	return nil
}

func (h Hand) log(t *thing) {
	h.p.record(t, Call{Actor: h.actor, Op: "manual", Routing: t.routing, Name: t.name}, h.service)
}
