package providers

import (
	"context"
	"time"

	"mooring.dev/sources/manifest"
)

// Switch sends one alias back by itself, at a time and at the platform, whoever
// lives then: a dead man's switch.
type Switch struct {
	Alias   manifest.Resource
	Version string    // all calls go there when it acts
	At      time.Time // that it acts at, exact to a second
	Role    string    // ARN of the role it acts as
	Group   string    // that it is kept in; "" is the platform's default one
	Release string    // that it guards against, for whoever finds it
	// Known: it is there already, as far as its owner remembers.
	Known bool
}

// Switcher keeps dead man's switches. An alias has at most one of an
// environment, by a name that follows from both.
type Switcher interface {
	// Arm writes a switch, or moves a Known one. Conflict when a Known one is
	// not there: it acted, or somebody took it away.
	Arm(ctx context.Context, s Switch) (Receipt, error)
	// Armed says whether the switch is still there. One that acted is not.
	Armed(ctx context.Context, s Switch) (bool, error)
	// Disarm takes a switch away; what is not there is away.
	Disarm(ctx context.Context, s Switch) (Receipt, error)
}
