package reconciler

import (
	"context"
	"errors"
	"io"

	"mooring.dev/reconciler/access"
)

// copier is a store that can be copied while it is in use.
type copier interface {
	Copy() (io.ReadCloser, error)
}

// Backup is the journal as of this moment, for an admin of everything. The
// daemon goes on meanwhile.
func (d *Daemon) Backup(ctx context.Context, by access.Person) (io.ReadCloser, error) {
	if err := errors.Join(by.CheckEverywhere(access.Copy), ctx.Err()); err != nil {
		return nil, err
	}
	store, can := d.opts.Store.(copier)
	if !can {
		return nil, errors.New("this journal is in memory; there is nothing to copy")
	}
	return store.Copy()
}
