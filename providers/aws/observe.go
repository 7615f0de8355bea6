package aws

import (
	"context"
	"fmt"
	"sync"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/sources/manifest"
)

// Observe reads these resources now. A question that failed leaves its
// resource out of the map and in the error; the others are answered.
func (p *Provider) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	var mu sync.Mutex
	seen := make(map[manifest.Ref]providers.Live, len(want))
	failed := map[manifest.Ref]error{}
	tell := func(ref manifest.Ref, live providers.Live, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed[ref] = err
			return
		}
		if live.SeenAt.IsZero() {
			live.SeenAt = p.o.Now()
		}
		seen[ref] = live
	}
	// What others are found by is looked at first.
	for _, round := range rounds(want) {
		var group crew.Crew
		group.SetLimit(p.o.Parallel)
		for _, res := range round {
			group.Go(func() error {
				p.memory.touch(res)
				live, err := p.observe(ctx, p.front, res)
				tell(res.Ref, live, err)
				return nil
			})
		}
		_ = group.Wait() // the goroutines return no error
	}
	if len(failed) > 0 {
		return seen, &providers.ObserveError{Refs: failed}
	}
	return seen, nil
}

// rounds sorts resources so that functions, queues and topics come before what
// is found or owned through them.
func rounds(want []manifest.Resource) [2][]manifest.Resource {
	var out [2][]manifest.Resource
	for _, res := range want {
		i := 1
		switch res.Ref.Kind {
		case manifest.KindFunction, manifest.KindQueue, manifest.KindTopic, manifest.KindTable, manifest.KindBucket:
			i = 0
		}
		out[i] = append(out[i], res)
	}
	return out
}

func (p *Provider) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	k, err := p.kindOf(res.Ref)
	if err != nil {
		return providers.Live{}, err
	}
	live, err := k.observe(ctx, cl, res)
	if err != nil {
		return providers.Live{}, fmt.Errorf("observe %s: %w", res.Ref, err)
	}
	return live, nil
}
