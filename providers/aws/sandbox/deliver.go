package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/events"
	"mooring.dev/providers/aws/sandbox/fault"
	"mooring.dev/providers/aws/sandbox/wire"
)

// send delivers an event under the faults of deliveries: lost, twice, or late.
func (s *Sandbox) send(ctx context.Context, d events.Delivery) error {
	c := &wire.Call{Service: fault.Deliveries, Operation: "Deliver"}
	effect := s.Faults.Meet(c, func() map[string]any { return map[string]any{"Rule": d.Rule, "Target": d.Target} })
	if effect.Throttle || effect.Status != 0 || effect.Drop {
		return fmt.Errorf("deliver to %s: lost by a fault", d.Target)
	}
	if effect.Latency > 0 {
		s.later(effect, d)
		return nil
	}
	if effect.FailAfter {
		if err := s.deliver(ctx, d); err != nil {
			return err
		}
	}
	return s.deliver(ctx, d)
}

// later delivers after the effect's latency, unless the sandbox is closed
// before.
func (s *Sandbox) later(effect fault.Effect, d events.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.ticking.Go(func() {
		timer := time.NewTimer(effect.Latency)
		defer timer.Stop()
		select {
		case <-s.done:
		case <-timer.C:
			_ = s.deliver(context.Background(), d) // what cannot be delivered is lost
		}
	})
}

// deliver hands an event to a target anywhere: a queue, or a function whose
// policy lets EventBridge invoke it.
func (s *Sandbox) deliver(ctx context.Context, d events.Delivery) error {
	if strings.HasPrefix(d.Target, "arn:aws:sqs:") {
		return queuesFor{s}.Send(ctx, d.Target, string(d.Payload))
	}
	st, err := s.siteOf(d.Target, "lambda")
	if err != nil {
		return err
	}
	if !st.lets("events.amazonaws.com", d) {
		return fmt.Errorf("the policy of %s does not let %s invoke it", d.Target, d.Rule)
	}
	return st.invoke(ctx, d.Target, d.Payload)
}
