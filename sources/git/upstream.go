package git

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"
)

// heads is what an upstream's references say at one moment.
type heads struct {
	branches map[string]plumbing.Hash
	// main is the branch its HEAD names, or "".
	main string
}

// upstream is the repository that is followed, near or far.
type upstream interface {
	// list reads the branches.
	list(ctx context.Context) (heads, error)
	// bring copies commits, with all they need, into the store.
	bring(ctx context.Context, into *store, wants []plumbing.Hash) error
	// push moves a branch from old (zero: it must not exist) to a commit of
	// the store, sending what the upstream lacks.
	push(ctx context.Context, from *store, branch string, old, to plumbing.Hash) error
}
