package bolt

import (
	"context"
	"io"

	"go.etcd.io/bbolt"
)

// Later is a version of Mooring to come: it writes format 2, and takes format 1
// there by apply.
type Later struct{ of formats }

func NewLater(apply func(tx *bbolt.Tx) error) Later {
	f := known()
	f.steps = append(f.steps, step{from: f.current, what: "what apply does", apply: apply})
	f.current++
	return Later{f}
}

func (l Later) Open(path string) (*Store, error)     { return l.of.open(path) }
func (l Later) Existing(path string) (*Store, error) { return l.of.existing(path) }

func (l Later) Import(ctx context.Context, path string, r io.Reader) (Summary, error) {
	return l.of.imports(ctx, path, r)
}

// Current is the format this version writes.
func Current() uint64 { return known().current }
