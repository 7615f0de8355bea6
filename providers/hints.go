package providers

import (
	"context"

	"mooring.dev/sources/manifest"
)

// Hint is word of a change from the platform's own stream of events. It may
// come late, twice, out of order or not at all, and may be forged: it is a
// reason to look, never a fact.
type Hint struct {
	// Refs are the resources it may be about, of those last surveyed.
	Refs  []manifest.Ref
	Actor Actor
}

// Hinter hears of changes as they happen.
type Hinter interface {
	// Hints waits until there is word of a change, ctx ends, or hearing fails.
	// errors.ErrUnsupported: nobody sends any here.
	Hints(ctx context.Context) ([]Hint, error)
}

// Examiner looks at single resources as a survey does, without the rest.
type Examiner interface {
	// Examine looks now at the wanted resources named by subjects, at what
	// lives on them, and at what nobody declared on them. The inventory is
	// about those alone; its Complete says nothing about others.
	Examine(ctx context.Context, want []manifest.Resource, subjects ...manifest.Ref) (Inventory, error)
}
