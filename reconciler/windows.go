package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// codeWindow is promote's name for content that waits for a window.
const codeWindow = "window"

// windowInput is the environment's windows as policy is told of them.
func (p *pass) windowInput() policy.Window {
	set := p.spec.Windows.Set()
	w := policy.Window{Open: set.Open(p.now)}
	if next := set.NextChange(p.now); !next.IsZero() {
		w.NextChangeNS = next.UnixNano()
	}
	return w
}

// windowLets: a release may start to move: a window is open, or people let
// this content in outside of them. What moves already is not asked.
func (p *pass) windowLets(ctx context.Context) bool {
	if p.st.Admitted == nil {
		return true
	}
	set := p.spec.Windows.Set()
	if next := set.NextChange(p.now); !next.IsZero() {
		p.later = append(p.later, next)
	}
	return set.Open(p.now) || p.outside(ctx, p.st.Admitted.Release.Key())
}

// outside: people said that this content need not wait for a window. Like any
// approval theirs is recorded, ends, and is about this content here.
func (p *pass) outside(ctx context.Context, key record.Key) bool {
	return len(approve.Names(p.verdicts(ctx, key, []string{codeWindow}))) > 0
}

// toStart: a release is admitted, not yet on its way, and may be tried.
func toStart(st *journal.Environment) bool {
	if st.Admitted == nil || st.Admitted.Release.Digest == st.Rollout.Release.Digest {
		return false
	}
	_, bad := quarantined(st, st.Admitted.Release.Key())
	return !bad
}

// waitsForWindow: a release is admitted, and only the time keeps it out.
func (p *pass) waitsForWindow() bool {
	return toStart(p.st) && !p.rolledBack() && !p.windowLets(context.Background())
}

// windowWhy is why, with when it ends.
func (p *pass) windowWhy() string {
	next := p.spec.Windows.Set().NextChange(p.now)
	if next.IsZero() {
		return "an admitted release waits: no window opens in sight; `mooring approve` lets it in outside of them"
	}
	return fmt.Sprintf("an admitted release waits for its window, which opens at %s", next.UTC().Format(time.RFC3339))
}

// startWaits is the admitted release, where it waits for a window.
func (e *environment) startWaits(st *journal.Environment, now time.Time) []waiting {
	w := e.d.world.Load()
	if w == nil || w.pipeline == nil || !toStart(st) {
		return nil
	}
	spec, _ := w.pipeline.Environment(e.name)
	if spec.Windows.Set().Open(now) {
		return nil
	}
	return []waiting{{key: st.Admitted.Release.Key(), codes: []string{codeWindow}, what: "release " + short(st.Admitted.Release.Digest) + ", for a window"}}
}

func isWindow(f record.Finding) bool { return f.Code == codeWindow }

// answerable: people may say what is to become of it.
func answerable(fs []record.Finding) bool {
	return slices.ContainsFunc(fs, isDiverged) || slices.ContainsFunc(fs, isWindow)
}
