package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources"
)

// commitStatus is how the branch's head stands here: what people see beside
// the commit on the host. It is empty while there is no head.
func (p *pass) commitStatus(err error) sources.CommitStatus {
	if !p.head.there {
		return sources.CommitStatus{}
	}
	s := sources.CommitStatus{Commit: p.head.snap.Commit.SHA, Context: statusContext(p.e.name), URL: p.e.d.pageOf(p.e.name)}
	s.State, s.Text = p.headState(s.Commit, err)
	s.Text, _, _ = strings.Cut(s.Text, "\n")
	return s
}

func statusContext(environment string) string { return "mooring/" + environment }

// pageOf is where people see an environment; "" when that is not known.
func (d *Daemon) pageOf(environment string) string {
	if d.opts.PageURL == "" {
		return ""
	}
	return strings.TrimRight(d.opts.PageURL, "/") + "/environments/" + environment
}

func (p *pass) headState(sha string, err error) (sources.StatusState, string) {
	j := p.st.Judged
	switch {
	case p.head.err != nil:
		return sources.StatusFailure, "invalid: " + p.head.err.Error()
	case j == nil || j.Release.Commit != sha:
		if err != nil {
			return sources.StatusPending, "waits: " + err.Error()
		}
		return sources.StatusPending, "not judged yet"
	case j.Outcome == "hold":
		return sources.StatusPending, "held: " + j.Reason
	case j.Outcome != "allow":
		return sources.StatusFailure, j.Outcome + ": " + j.Reason
	}
	if q, bad := quarantined(p.st, j.Release.Key()); bad {
		return sources.StatusFailure, "failed: " + q.Reason
	}
	if i := slices.IndexFunc(p.holds(), func(h record.Hold) bool { return h.Kind == "rollback" }); i >= 0 {
		return sources.StatusFailure, "rolled back: " + p.holds()[i].Reason
	}
	ro := p.st.Rollout
	if ro.Release.Key() != j.Release.Key() {
		_, why := p.stateWord(err)
		return sources.StatusPending, "admitted, not started: " + why
	}
	switch {
	case ro.Phase == rollout.Back:
		return sources.StatusFailure, "traffic goes back: " + ro.Reason
	case ro.Phase != rollout.Idle && ro.Paused != "":
		return sources.StatusPending, "paused: " + ro.Paused
	case ro.Phase != rollout.Idle:
		return sources.StatusPending, fmt.Sprintf("moving, at %d%%", ro.Weight)
	case err != nil:
		return sources.StatusPending, "in force; the last look failed"
	case !p.healthy():
		return sources.StatusFailure, "in force, and a check failed, a contract is broken, or the platform reports a failure"
	}
	return sources.StatusSuccess, "in force"
}

// tellStatuses says how the heads of all environments stand. One that was left
// pending is ended when another takes its place.
func (h *herald) tellStatuses(ctx context.Context) error {
	var errs []error
	for _, name := range h.d.names() {
		e := h.d.environment(name)
		if e == nil {
			continue
		}
		pub := e.published.Load()
		if pub == nil || pub.commit.Commit == "" {
			continue
		}
		s := pub.commit
		before, ok := h.told[s.Context]
		if !ok && h.d.left[name] != "" {
			before, ok = sources.CommitStatus{Commit: h.d.left[name], Context: s.Context, URL: s.URL, State: sources.StatusPending}, true
		}
		if ok && before.Commit != s.Commit && before.State == sources.StatusPending {
			before.State, before.Text = sources.StatusFailure, "overtaken by "+short(s.Commit)
			errs = append(errs, h.tell(ctx, before))
		}
		if errs = append(errs, h.tell(ctx, s)); leftAlone(errors.Join(errs...)) {
			break
		}
	}
	return errors.Join(errs...)
}

// leftPending are the commits that were waiting or moving when the daemon before this
// one ended, by environment. What their status is on a host was said by that one.
func leftPending(of map[string]*journal.Environment) map[string]string {
	out := map[string]string{}
	for name, st := range of {
		j := st.Judged
		if j == nil || j.Outcome != "hold" && j.Outcome != "allow" {
			continue
		}
		ro := st.Rollout
		_, failed := quarantined(st, j.Release.Key())
		arrived := ro.Release.Key() == j.Release.Key() && (ro.Phase == rollout.Idle || ro.Phase == rollout.Back)
		if j.Outcome == "hold" || !failed && !arrived {
			out[name] = j.Release.Commit
		}
	}
	return out
}

// tell says a status, unless it was the last thing said in its context.
func (h *herald) tell(ctx context.Context, s sources.CommitStatus) error {
	if h.told[s.Context] == s {
		return nil
	}
	if err := h.state(ctx, s); err != nil {
		return err
	}
	h.told[s.Context] = s
	return nil
}

// maxFull is how many commits are remembered as told of as far as can be.
const maxFull = 1024

// saidAll ends what the host takes no more of: what it shows stays as it is, and
// that is no fault of the host. It stands in the log once.
func (h *herald) saidAll(s sources.CommitStatus, err error) error {
	key := s.Commit + "|" + s.Context
	if !errors.Is(err, sources.ErrFull) {
		return err
	}
	if h.full[key] {
		return nil
	}
	if len(h.full) >= maxFull {
		clear(h.full)
	}
	h.full[key] = true
	h.d.opts.Log.Warn("the host takes no more statuses of a commit", zap.String("commit", short(s.Commit)), zap.String("context", s.Context), zap.Error(err))
	return nil
}
