package reconciler

import (
	"context"
	"errors"

	"mooring.dev/providers/crew"
)

// errBrokenOff: what the platform was asked was broken off for a person who does
// not wait. Nothing was learned, and nothing failed.
var errBrokenOff = errors.New("broken off for something urgent that somebody asked for; try again")

// peek reads what an environment knows, between two passes or while one waits for
// the platform. Unlike do it makes no pass follow.
func (d *Daemon) peek(ctx context.Context, name string, f func(e *environment)) error {
	e := d.environment(name)
	if e == nil {
		return d.unknown(name)
	}
	done := make(chan error, 1)
	select {
	case e.peeks <- func() { done <- e.contained(func() error { f(e); return nil }) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-done // it only reads
}

// attending has the platform asked something that takes its time: of thousands of
// queues each is asked about by itself. ask touches nothing of the environment's,
// so that whoever peeks sees meanwhile what was known before. Where it may be
// broken off, as what is only looked at may, who is in a hurry waits no longer: ask
// ends, and errBrokenOff says so.
func attending[T any](ctx context.Context, e *environment, breakable bool, ask func(context.Context) (T, error)) (out T, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	hurried := e.hurried
	if !breakable {
		hurried = nil
	}
	var work crew.Crew
	done := make(chan struct{})
	work.Go(func() (err error) {
		defer close(done)
		out, err = ask(ctx)
		return err
	})
	for {
		select {
		case read := <-e.peeks:
			read()
		case <-hurried:
			if e.urgent.Load() > 0 { // it was not done meanwhile
				cancel(errBrokenOff)
			}
		case <-done:
			err = work.Wait()
			if err != nil && errors.Is(context.Cause(ctx), errBrokenOff) {
				err = errBrokenOff
			}
			return out, err
		}
	}
}
