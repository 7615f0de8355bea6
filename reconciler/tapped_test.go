package reconciler

import (
	"context"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// tapped is an environment's provider with the watcher listening.
type tapped struct {
	*memory.Provider
	s          *simulation
	env        string
	generation int
}

// Survey implements providers.Provider.
func (t *tapped) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	inv, err := t.Provider.Survey(ctx, want)
	if t.generation == t.s.generation {
		t.s.watch.surveyed(t.env, want, inv, err)
	}
	return inv, err
}

// Observe implements providers.Provider.
func (t *tapped) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	seen, err := t.Provider.Observe(ctx, want...)
	if t.generation == t.s.generation {
		t.s.watch.observed(t.env, want, seen)
	}
	return seen, err
}

// Put implements providers.Provider.
func (t *tapped) Put(ctx context.Context, c providers.Change) (r providers.Receipt, err error) {
	done := t.s.watch.write(write{t: t, op: "put", res: c.Resource, ref: c.Resource.Ref, guard: c.Guard, release: c.Release, fields: append(append([]string{}, c.Fields...), c.Remove...), whole: c.Fields == nil})
	defer func() { done() }()
	return t.Provider.Put(ctx, c)
}

// Publish implements providers.Provider.
func (t *tapped) Publish(ctx context.Context, c providers.Change) (v providers.Version, r providers.Receipt, err error) {
	done := t.s.watch.write(write{t: t, op: "publish", res: c.Resource, ref: c.Resource.Ref, guard: c.Guard, release: c.Release})
	defer func() { done() }()
	return t.Provider.Publish(ctx, c)
}

// Route implements providers.Provider.
func (t *tapped) Route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	done := t.s.watch.write(write{t: t, op: "route", res: c.Resource, ref: c.Resource.Ref, guard: c.Guard, release: c.Release, to: to})
	defer func() { done() }()
	return t.Provider.Route(ctx, c, to)
}

// Delete implements providers.Provider.
func (t *tapped) Delete(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	done := t.s.watch.write(write{t: t, op: "delete", res: res, ref: res.Ref, guard: guard})
	defer func() { done() }()
	return t.Provider.Delete(ctx, res, guard)
}

// Detach implements providers.Provider.
func (t *tapped) Detach(ctx context.Context, parent manifest.Resource, x providers.Extra) (providers.Receipt, error) {
	child := manifest.Resource{Ref: x.Ref, Physical: parent.Physical, Key: keyBelow(parent.Ref, x.Ref)}
	done := t.s.watch.write(write{t: t, op: "detach", res: child, ref: x.Ref, guard: x.Guard})
	defer func() { done() }()
	return t.Provider.Detach(ctx, parent, x)
}

func keyBelow(parent, child manifest.Ref) string {
	if len(child.Name) > len(parent.Name) {
		return child.Name[len(parent.Name)+1:]
	}
	return ""
}

// Invoke implements providers.Invoker.
func (t *tapped) Invoke(ctx context.Context, fn manifest.Resource, qualifier string, payload []byte) ([]byte, bool, error) {
	response, failed, err := t.Provider.Invoke(ctx, fn, qualifier, payload)
	if err == nil && t.generation == t.s.generation {
		t.s.watch.invoked(t.env, fn.Ref, qualifier)
	}
	return response, failed, err
}

// Measure implements providers.Meter.
func (t *tapped) Measure(ctx context.Context, alias manifest.Resource, version string, q providers.Asked) (providers.Sample, error) {
	sample, err := t.Provider.Measure(ctx, alias, version, q)
	if err == nil && sample.Known && t.generation == t.s.generation {
		t.s.watch.measured(t.env, alias.Ref, version, sample)
	}
	return sample, err
}
