package reconciler

import (
	"context"
	"errors"

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
	if pub == nil {
		return nil
	}
	err := h.bring(ctx, e, name, pub.offer, e.learn)
	return errors.Join(err, h.bring(ctx, e, name+adoptionDraft, pub.adoption, e.learnAdoption))
}

// adoptionDraft tells the draft of an offer to adopt from that of a promotion.
const adoptionDraft = "|adopt"

// bring makes one pull request what its offer says, and tells what became of it.
func (h *herald) bring(ctx context.Context, e *environment, name string, o offer, learn func(request)) error {
	if o.commit == "" {
		delete(h.drafts, name)
		return nil
	}
	there, ok, err := h.host.Find(ctx, o.draft.Head, o.draft.Base)
	switch {
	case err != nil:
		return err
	case ok && there.State == sources.RequestClosed && (there.Commit == o.commit || o.number > 0 && there.Number == o.number):
		learn(request{key: o.key, number: there.Number, url: there.URL, closed: true})
		return nil
	case ok && there.State == sources.RequestMerged && there.Commit == o.commit:
		h.d.nudgeFetch()
		return nil
	case o.watch && (!ok || there.State != sources.RequestOpen):
		return nil
	case o.watch && o.draft.Title == "":
	case !ok || there.State != sources.RequestOpen || h.drafts[name] != o.draft:
		if there, err = h.host.Upsert(ctx, o.draft); err != nil {
			return err
		}
		h.drafts[name] = o.draft
		h.d.opts.Log.Info("pull request", zap.String("environment", e.name), zap.Int("number", there.Number), zap.String("url", there.URL))
	}
	learn(request{key: o.key, number: there.Number, url: there.URL})
	return nil
}

// learn notes what became of an offer, and has the next pass see it.
func (e *environment) learn(r request) {
	if before := e.request.Swap(&r); before == nil || *before != r {
		e.nudge()
	}
}

// learnAdoption is learn of an offer to adopt.
func (e *environment) learnAdoption(r request) {
	if before := e.adopted.Swap(&r); before == nil || *before != r {
		e.nudge()
	}
}
