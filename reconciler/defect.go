package reconciler

import (
	"errors"
	"fmt"
	"runtime"

	"go.uber.org/zap"

	"mooring.dev/providers/crew"
)

// defect is a panic of our own, met at work for one environment. What the panic
// says stays out of it, unless the runtime said it: it may be anything, a
// secret included.
type defect struct{ what string }

func (d *defect) Error() string {
	return "a defect of Mooring's own: " + d.what + "; the daemon's log has where"
}

// contained does something for one environment. A panic ends that, and nothing
// else: it is an error like another, logged with where it was, counted, and
// what was known of the platform is looked at anew.
func (e *environment) contained(do func() error) (err error) {
	err = e.caught(do)
	if own := (*defect)(nil); errors.As(err, &own) {
		e.look.again()
		clear(e.specs)
	}
	return err
}

// caught is contained for who is not the environment's own goroutine: nothing of
// the environment is touched.
func (e *environment) caught(do func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = e.met(crew.Of(v))
	}()
	return do()
}

// met counts and logs a panic that was met.
func (e *environment) met(at crew.Struck) *defect {
	d := &defect{what: fmt.Sprintf("a panic with a %T", at.Value)}
	if told, ok := at.Value.(runtime.Error); ok {
		d.what = told.Error()
	}
	e.d.opts.Metrics.Panic(e.name)
	e.log.Error("panic", zap.Error(d), zap.ByteString("stack", at.Stack))
	return d
}
