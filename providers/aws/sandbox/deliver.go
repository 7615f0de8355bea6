package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/events"
	"mooring.dev/providers/aws/sandbox/fault"
	"mooring.dev/providers/aws/sandbox/iam"
	"mooring.dev/providers/aws/sandbox/scheduler"
	"mooring.dev/providers/aws/sandbox/sns"
	"mooring.dev/providers/aws/sandbox/sqs"
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

// deliver hands an event to a target anywhere: a topic, a state machine, or a
// queue or function whose policy lets EventBridge.
func (s *Sandbox) deliver(ctx context.Context, d events.Delivery) error {
	switch serviceIn(d.Target) {
	case "sqs":
		queues, err := s.queuesThatLet("events.amazonaws.com", d.Rule, d.Target)
		if err != nil {
			return err
		}
		return queues.Send(d.Target, string(d.Payload))
	case "sns":
		return s.publishTo(ctx, d.Target, d.Payload)
	case "states":
		return s.startMachine(ctx, d.Target, d.Payload)
	}
	return s.invokeFor(ctx, "events.amazonaws.com", d.Rule, d.Target, d.Payload)
}

// notify hands a topic's message to a queue or function whose policy lets SNS.
func (s *Sandbox) notify(ctx context.Context, d sns.Delivery) error {
	if serviceIn(d.Endpoint) != "sqs" {
		return s.invokeFor(ctx, "sns.amazonaws.com", d.Topic, d.Endpoint, []byte(d.Body))
	}
	queues, err := s.queuesThatLet("sns.amazonaws.com", d.Topic, d.Endpoint)
	if err != nil {
		return err
	}
	attributes := map[string]sqs.Attribute{}
	for name, a := range d.Attributes {
		attributes[name] = sqs.Attribute{DataType: a.DataType, StringValue: a.StringValue, BinaryValue: a.BinaryValue}
	}
	return queues.Post(d.Endpoint, sqs.Parcel{Body: d.Body, Attributes: attributes, Group: d.Group, Dedup: d.Dedup})
}

// queuesThatLet are the queues of a queue's place, if its policy lets a service
// send to it for a source.
func (s *Sandbox) queuesThatLet(service, source, queue string) (*sqs.Service, error) {
	queues, err := queuesFor{s}.at(queue)
	if err != nil {
		return nil, err
	}
	if !iam.Permits([]byte(queues.Policy(queue)), service, "sqs:SendMessage", source) {
		return nil, fmt.Errorf("the policy of %s does not let %s send to it", queue, source)
	}
	return queues, nil
}

// fire hands a schedule's payload to its target. The schedule's role was asked
// before.
func (s *Sandbox) fire(ctx context.Context, d scheduler.Delivery) error {
	switch serviceIn(d.Target) {
	case "scheduler":
		return s.universal(ctx, d)
	case "sqs":
		return queuesFor{s}.Send(ctx, d.Target, string(d.Payload))
	case "sns":
		return s.publishTo(ctx, d.Target, d.Payload)
	case "states":
		return s.startMachine(ctx, d.Target, d.Payload)
	}
	st, err := s.siteOf(d.Target, "lambda")
	if err != nil {
		return err
	}
	return st.invoke(ctx, "scheduler.amazonaws.com", d.Target, d.Payload)
}

func (s *Sandbox) startMachine(ctx context.Context, arn string, input []byte) error {
	st, err := s.siteOf(arn, "states")
	if err != nil {
		return err
	}
	return st.machines.Start(ctx, arn, string(input))
}

func (s *Sandbox) publishTo(ctx context.Context, arn string, payload []byte) error {
	st, err := s.siteOf(arn, "sns")
	if err != nil {
		return err
	}
	return st.topics.Send(ctx, arn, string(payload))
}

// invokeFor calls a function for a service, if the function's policy lets the
// service call it for the source.
func (s *Sandbox) invokeFor(ctx context.Context, service, source, function string, payload []byte) error {
	st, err := s.siteOf(function, "lambda")
	if err != nil {
		return err
	}
	if !st.lets(service, function, source) {
		return fmt.Errorf("the policy of %s does not let %s invoke it", function, source)
	}
	return st.invoke(ctx, service, function, payload)
}

func serviceIn(arn string) string {
	parts := strings.SplitN(arn, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}
