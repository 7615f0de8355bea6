package reconciler

import (
	"context"

	"go.uber.org/zap"

	"mooring.dev/sources"
)

// offer makes the pull request into an environment what it shall be. One that
// people closed stays closed while it would bring the same.
func (h *herald) offer(ctx context.Context, name string) error {
	e := h.d.environment(name)
	if e == nil {
		return nil
	}
	pub := e.published.Load()
	if pub == nil || pub.offer.commit == "" {
		delete(h.drafts, name)
		return nil
	}
	o := pub.offer
	there, ok, err := h.host.Find(ctx, o.draft.Head, o.draft.Base)
	switch {
	case err != nil:
		return err
	case ok && there.State == sources.RequestClosed && there.Commit == o.commit:
		e.learn(request{key: o.key, number: there.Number, url: there.URL, closed: true})
		return nil
	case ok && there.State == sources.RequestMerged && there.Commit == o.commit:
		h.d.nudgeFetch()
		return nil
	case !ok || there.State != sources.RequestOpen || h.drafts[name] != o.draft:
		if there, err = h.host.Upsert(ctx, o.draft); err != nil {
			return err
		}
		h.drafts[name] = o.draft
		h.d.opts.Log.Info("pull request", zap.String("environment", name), zap.Int("number", there.Number), zap.String("url", there.URL))
	}
	e.learn(request{key: o.key, number: there.Number, url: there.URL})
	return nil
}

// learn notes what became of an offer, and has the next pass see it.
func (e *environment) learn(r request) {
	if before := e.request.Swap(&r); before == nil || *before != r {
		e.nudge()
	}
}
