package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// planned is the plan of a pull request, and of what it is one.
type planned struct {
	basis string
	plan  web.Plan
	key   record.Key // of what it would bring
	fault string     // why there is none
	// Of a fork: later says that the repository gave no answer and is asked
	// again, unseen that it does not show the commit.
	later, unseen bool
}

// attend shows people on a pull request into an environment what merging it
// would do.
func (h *herald) attend(ctx context.Context, w *world, spec manifest.Environment, r sources.PullRequest) error {
	if r.Commit == "" {
		return nil
	}
	if !r.Foreign && w.snapshots[r.Head].Commit.SHA != r.Commit {
		h.d.nudgeFetch() // pushed since we read
		return nil
	}
	pl, err := h.planOf(ctx, w, spec, r)
	if err != nil || pl.later {
		return err
	}
	key, text := requestKey(r.Number, spec.Name), commentText(pl, r, h.d.pageOf(spec.Name))
	tell := h.tellPlan
	if r.Foreign {
		tell = h.tellFork
	}
	errs := []error{tell(ctx, spec.Name, r, pl)}
	if h.comments[key] != text {
		at, err := h.host.Comment(ctx, sources.Comment{Number: r.Number, Marker: "mooring plan " + spec.Name, Text: text})
		if errs = append(errs, err); err == nil {
			h.comments[key] = text
			versions := append(h.versions[key], version{at: at, codes: codesShown(pl)})
			h.versions[key] = versions[max(0, len(versions)-maxShown):]
		}
	}
	if err := errors.Join(errs...); err != nil || r.Foreign {
		return err // reviews of what was not wholly looked at approve nothing
	}
	return h.hear(ctx, w, spec, r)
}

// codesShown are the findings a comment names.
func codesShown(pl planned) []string {
	out := []string{}
	for _, f := range pl.plan.Decision.Findings[:min(len(pl.plan.Decision.Findings), maxShownFindings)] {
		if !slices.Contains(out, f.Code) {
			out = append(out, f.Code)
		}
	}
	slices.Sort(out)
	return out
}

// planOf plans what the pull request brings, as often as something that the
// plan rests on has changed.
func (h *herald) planOf(ctx context.Context, w *world, spec manifest.Environment, r sources.PullRequest) (planned, error) {
	e := h.d.environment(spec.Name)
	var pub *published
	if e != nil {
		pub = e.published.Load()
	}
	if pub == nil {
		return planned{fault: "this environment was not looked at yet"}, nil
	}
	basis := strings.Join([]string{r.Commit, w.policies, w.digest, pub.basis}, "|")
	key := requestKey(r.Number, spec.Name)
	if pl := h.plans[key]; pl.basis == basis {
		return pl, nil
	}
	if r.Foreign {
		return h.planOfFork(ctx, w, spec, r, basis)
	}
	pl := planned{basis: basis}
	var failed error
	err := h.d.do(ctx, spec.Name, func(ctx context.Context, e *environment) error {
		pl.plan, pl.key, failed = e.previewOf(ctx, h.d.world.Load(), r.Commit)
		return nil
	})
	if err != nil {
		return planned{}, fmt.Errorf("plan pull request %d for %s: %w", r.Number, spec.Name, err)
	}
	if failed != nil {
		pl.fault = failed.Error()
	}
	h.plans[key] = pl
	return pl, nil
}

// previewOf plans a commit as if the environment's branch were at it.
func (e *environment) previewOf(ctx context.Context, w *world, commit string) (web.Plan, record.Key, error) {
	at, err := e.imagine(ctx, w, commit)
	if err != nil {
		return web.Plan{}, record.Key{}, err
	}
	rel, err := e.reopen(ctx, at, record.Release{Commit: commit})
	if err != nil {
		return web.Plan{}, record.Key{}, err
	}
	out, err := e.preview(ctx, at, "")
	// How it comes onto the branch is for the merge to say.
	out.Holds = slices.DeleteFunc(out.Holds, func(h web.HoldStatus) bool { return h.Kind == "forced_update" })
	if out.Outcome == "held" && out.Decision.Outcome == "allow" && len(out.Holds) == 0 {
		out.Outcome = "changes"
	}
	return out, named(rel).Key(), err
}

// imagine is the world with the environment's branch at another commit.
func (e *environment) imagine(ctx context.Context, w *world, commit string) (*world, error) {
	spec, _ := w.pipeline.Environment(e.name)
	snap, err := e.d.opts.Source.Open(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("open commit %s: %w", commit, err)
	}
	other := *w
	other.snapshots = maps.Clone(w.snapshots)
	other.snapshots[spec.Branch] = snap
	return &other, nil
}

// tellPlan says beside the pull request's commit whether it could be merged.
func (h *herald) tellPlan(ctx context.Context, environment string, r sources.PullRequest, pl planned) error {
	s := sources.CommitStatus{Commit: r.Commit, Context: statusContext(environment), URL: h.d.pageOf(environment)}
	switch {
	case pl.fault != "":
		s.State, s.Text = sources.StatusFailure, "no plan: "+pl.fault
	case pl.plan.Outcome == "denied" || pl.plan.Outcome == "error":
		s.State, s.Text = sources.StatusFailure, firstReason(pl.plan)
	case pl.plan.Outcome == "held":
		s.State, s.Text = sources.StatusPending, firstReason(pl.plan)
	default:
		s.State, s.Text = sources.StatusSuccess, fmt.Sprintf("policy allows; %d changes", len(pl.plan.Steps))
	}
	s.Text, _, _ = strings.Cut(s.Text, "\n")
	// The same commit may be the head of the branch already.
	if e := h.d.environment(environment); e != nil {
		if pub := e.published.Load(); pub != nil && pub.commit.Commit == r.Commit {
			return nil
		}
	}
	key := fmt.Sprintf("%s|%d", s.Context, r.Number)
	if h.told[key] == s {
		return nil
	}
	if err := h.saidAll(s, h.host.Status(ctx, s)); err != nil {
		return err
	}
	h.told[key] = s
	return nil
}

// firstReason is the first of what stands in a plan's way.
func firstReason(p web.Plan) string {
	for _, f := range p.Decision.Findings {
		return p.Outcome + ": " + f.Msg
	}
	for _, hold := range p.Holds {
		return p.Outcome + ": " + hold.Reason
	}
	return p.Outcome
}
