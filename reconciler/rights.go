package reconciler

import (
	"sync"

	"go.uber.org/zap"

	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/record"
)

// may asks again whether who approved still may, in an environment, or, with
// environment "", everywhere. The tokens are read when the first giver is asked
// for. nil where tokens are not known here.
func (d *Daemon) may(w *world, environment string) func(record.Approval) string {
	if d.opts.Tokens == nil || w == nil || w.pipeline == nil {
		return nil
	}
	now := sync.OnceValue(func() approve.Rights {
		r := approve.Rights{Identity: w.pipeline.Identity, Host: w.pipeline.Host, Environment: environment, Now: d.opts.Now()}
		all, err := d.opts.Tokens()
		if err != nil {
			r.Unread = true
			d.opts.Log.Warn("read tokens: no approval by one counts until they can be read", zap.Error(err))
			return r
		}
		r.Tokens = all.Known(func(name string) (string, []string) {
			p, _ := w.pipeline.Identity.Holder(name)
			return p.Name, p.Emails
		})
		return r
	})
	return func(a record.Approval) string { return now().Lost(a) }
}

func (p *pass) may() func(record.Approval) string { return p.e.d.may(p.w, p.e.name) }
