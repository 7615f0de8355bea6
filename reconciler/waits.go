package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/promote"
	"mooring.dev/reconciler/record"
)

// waitPatience is how long content waits until people are told that an environment
// before is not well, which has an alert of its own.
const waitPatience = 5 * time.Minute

// tellWait tells people that content waits before this environment. However often
// the reason changes it is one alert: the code stands in its text. What a fault
// of the platform hides for a while ends none, since
// nobody knows that what was told of is over; and it begins none
// before its time.
func (p *pass) tellWait(ctx context.Context, m promote.Move, d *policy.Decision) error {
	switch {
	case p.mayPass(m):
		if p.e.faultSince.IsZero() {
			p.e.faultSince = p.now
		}
		if told, _ := p.e.d.ledger.alert(p.e.fingerprint("promotion", "")); told.Alert.Status == "firing" || m.Code == codeUnknown || m.Code == "checks" {
			return nil // of what is unknown the pass ends with why, and that is told
		}
		if due := p.e.faultSince.Add(waitPatience); m.Code == "unhealthy" && p.now.Before(due) {
			p.later = append(p.later, due)
			return nil
		}
	case m.Code == "soak" || m.Code == "checks" || m.Code == "manual" || m.Code == codeWindow || d != nil && d.RecheckNS > 0:
		return p.waitOver(ctx) // the ordinary course of things
	default:
		p.e.faultSince = time.Time{}
	}
	return p.fire(ctx, event{
		kind: "promotion", severity: "medium",
		title: fmt.Sprintf("content %s waits before %s: %s", short(m.Key.Content), m.To, m.Code), text: m.Held,
	})
}

// waitOver: content waits no more, or as it always does.
func (p *pass) waitOver(ctx context.Context) error {
	p.e.faultSince = time.Time{}
	return p.resolve(ctx, "promotion", "")
}

// pushRefused is the alert that the repository does not take what is to come in.
const pushRefused = "push"

// tellRefused tells that content is not taken. That lasts until some is, whichever
// was tried meanwhile and while the next one is on its way: it is one alert, which
// speaks of the newest.
func (p *pass) tellRefused(ctx context.Context, m promote.Move, done, why string) error {
	return p.fire(ctx, event{
		kind: "promotion", key: pushRefused, severity: "medium", restated: true,
		title: fmt.Sprintf("content %s could not be %s to %s", short(m.Key.Content), done, m.To), text: why,
	})
}

// notRefused: content was taken, or is there.
func (p *pass) notRefused(ctx context.Context) error { return p.resolve(ctx, "promotion", pushRefused) }

// mayPass: why content waits may be the fault of somebody who has no answer now.
func (p *pass) mayPass(m promote.Move) bool {
	switch m.Code {
	case "unhealthy", codeUnknown:
		return true
	case "checks":
		return slices.ContainsFunc(p.spec.After, func(name string) bool {
			return slices.ContainsFunc(p.e.d.place(name).Checks, func(r record.CheckResult) bool { return r.Unknown })
		})
	}
	return false
}
