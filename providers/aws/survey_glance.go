package aws

import (
	"context"
	"time"

	"mooring.dev/providers"
)

// glance is a reading of many things a call, which shows most of each: what it
// shows changed is looked at, the rest is known to be as it was.
type glance struct {
	names []string
	last  time.Time // zero: never
	// size is how many names one call takes, in the lane of an operation.
	size               int
	service, operation string
	// ask tells which of some things are as they were last seen; its error is
	// AWS's own.
	ask func(ctx context.Context, names []string) (same map[string]bool, err error)
}

// glance reads in bulk as often as states are looked at, within what the lane
// can spare. changed are those that are not as they were, or of which the
// platform would not tell in bulk; asked is false when it was not their turn.
func (s *sweep) glance(ctx context.Context, g glance) (changed map[string]bool, asked bool, err error) {
	changed = map[string]bool{}
	if s.narrow || len(g.names) == 0 {
		return changed, false, nil
	}
	turn := s.due(rotation{
		names: []string{"all"}, lookedAt: func(string) time.Time { return g.last }, age: s.p.o.LayerAge / stateShare,
		service: g.service, operation: g.operation, cost: (len(g.names) + g.size - 1) / g.size,
	})
	if len(turn) == 0 {
		return changed, false, nil
	}
	for from := 0; from < len(g.names); from += g.size {
		batch := g.names[from:min(from+g.size, len(g.names))]
		same, err := g.ask(ctx, batch)
		switch kind := providers.KindOf(classify(err)); {
		case err == nil, isAbsent(err), isUnknownOperation(err), kind == providers.Invalid:
			// One name that is not there may spoil the answer for all: each is
			// asked for by itself.
		default:
			return changed, true, classify(err)
		}
		for _, name := range batch {
			changed[name] = changed[name] || !same[name]
		}
	}
	return changed, true, nil
}
