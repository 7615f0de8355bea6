package reconciler

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// Identity says whose signed tokens prove who asks, and who is one person, as the
// control branch says; nobody before it was read.
func (d *Daemon) Identity() manifest.Identity {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return manifest.Identity{}
	}
	return w.pipeline.Identity
}

// AddAudit keeps what somebody had done, or was refused. It stands beside the
// environments: a name that somebody made up makes none.
func (d *Daemon) AddAudit(ctx context.Context, a record.Audit) {
	if err := d.ledger.append(ctx, "", journal.Record{At: a.At, Audit: &a}); err != nil {
		d.opts.Log.Error("an act could not be kept in the audit record", zap.String("request", a.Request), zap.String("act", a.Act), zap.String("outcome", a.Outcome), zap.Error(err))
	}
}

// Audit is the newest of what was kept, newest first.
func (d *Daemon) Audit(limit int, wanted func(record.Audit) bool) []record.Audit {
	out := []record.Audit{}
	for _, a := range slices.Backward(d.ledger.audit()) {
		if len(out) == limit {
			break
		}
		if wanted(a) {
			out = append(out, a)
		}
	}
	return out
}
