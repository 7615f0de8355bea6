package reconciler

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// maxForks is how many pull requests from forks are planned for one
// environment, the oldest: anybody may open more.
const maxForks = 20

// planOfFork plans what a fork's pull request brings. What goes wrong with one
// stands on that one: strangers make nothing fail that others wait for.
func (h *herald) planOfFork(ctx context.Context, w *world, spec manifest.Environment, r sources.PullRequest, basis string) (planned, error) {
	pl := planned{basis: basis}
	f, err := h.d.visit(ctx, w, spec, r.Commit)
	switch {
	case ctx.Err() != nil:
		return pl, ctx.Err()
	case errors.Is(err, sources.ErrUnreachable), errors.Is(err, sources.ErrUnauthorized):
		h.d.opts.Log.Warn("a fork's commit could not be read", zap.Int("number", r.Number), zap.Error(err))
		pl.later = true
		return pl, nil
	case f.snap.Commit.SHA == "":
		pl.fault, pl.unseen = err.Error(), true
	case err != nil:
		pl.fault = err.Error()
	default:
		err := h.d.do(ctx, spec.Name, func(ctx context.Context, e *environment) (failed error) {
			if pl.plan, failed = e.previewFork(ctx, h.d.world.Load(), f); failed != nil {
				pl.fault = failed.Error()
			}
			return nil
		})
		if err != nil {
			return planned{}, fmt.Errorf("plan pull request %d for %s: %w", r.Number, spec.Name, err)
		}
	}
	h.plans[requestKey(r.Number, spec.Name)] = pl
	return pl, nil
}

// tellFork says beside a fork's commit whether it could be merged. Not every
// host takes that for a commit which another repository holds.
func (h *herald) tellFork(ctx context.Context, environment string, r sources.PullRequest, pl planned) error {
	if pl.unseen {
		return nil
	}
	err := h.tellPlan(ctx, environment, r, pl)
	if errors.Is(err, sources.ErrNoHost) {
		h.d.opts.Log.Info("the host takes no status of a fork's commit", zap.Int("number", r.Number), zap.Error(err))
		return nil
	}
	return err
}
