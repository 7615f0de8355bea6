package reconciler

import (
	"context"
	"slices"

	"mooring.dev/reconciler/promote"
)

// nameChanges says whose the commits are that took the place here of what could
// come in.
func (p *pass) nameChanges(ctx context.Context, in *promote.Input) {
	i := slices.IndexFunc(in.Places, func(at promote.Place) bool { return at.Environment.Name == p.e.name })
	if i < 0 {
		return
	}
	place := &in.Places[i]
	for _, key := range append(p.arrivingKeys(in.Rendered), p.ahead.Key) {
		switch by, had := place.Left[key]; {
		case had:
			place.Left[key] = p.changeBy(ctx, by)
		case key == place.Newest && place.Head != "":
			place.HeadBy = p.changeBy(ctx, promote.Change{Before: place.At, Commit: place.Head})
		}
	}
}

// changeBy says whose a commit of this environment's branch is. What counts is
// what Mooring remembers of its own moves since what was there before came in: by
// its name, or of a move whose end was lost in a crash by the commit it was taken
// from or the decision in the trailers. Trailers alone anybody can write, and
// people may set a branch back to a commit that Mooring once moved.
func (p *pass) changeBy(ctx context.Context, by promote.Change) promote.Change {
	decision := ""
	if snap, err := p.e.d.opts.Source.Open(ctx, by.Commit); err == nil {
		decision, by.Author = snap.Commit.Trailers["Mooring-Decision"], snap.Commit.Author.Name
	}
	ended := map[string]bool{}
	for _, pr := range slices.Backward(p.st.Promotions) {
		if pr.Decision == "" || pr.At.Before(by.Before) {
			continue
		}
		moved := pr.Outcome == "moved" && pr.Commit == by.Commit
		lost := pr.Outcome == "moving" && !ended[pr.Decision] && (pr.Source == by.Commit || pr.Decision == decision)
		if moved || lost {
			by.From = pr.From
			return by
		}
		ended[pr.Decision] = true
	}
	return by
}
