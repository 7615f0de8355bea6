package policy

import "slices"

// Complete returns in with its API version and point set, and every nil list
// and map made empty. It invents no facts and does not touch what in shares
// with the caller.
func (in Input) Complete(p Point) Input {
	in.API, in.Point = API, p
	in.Environment.Labels = filledMap(in.Environment.Labels)
	in.Source.Paths = filled(in.Source.Paths)
	in.Commit = in.Commit.complete()
	in.Commits = each(in.Commits, Commit.complete)
	in.PullRequest.Labels = filled(in.PullRequest.Labels)
	in.PullRequest.ApprovedBy = filled(in.PullRequest.ApprovedBy)
	in.Changes = each(in.Changes, Change.complete)
	in.Flags = filled(in.Flags)
	if f := in.PromotionFacts; f != nil {
		in.PromotionFacts = f.complete()
	}
	if f := in.RolloutFacts; f != nil {
		in.RolloutFacts = f.complete()
	}
	if f := in.DriftFacts; f != nil {
		in.DriftFacts = &DriftFacts{Items: filled(f.Items)}
	}
	if f := in.NotifyFacts; f != nil {
		in.NotifyFacts = &NotifyFacts{Event: f.Event, Receivers: filled(f.Receivers)}
	}
	if f := in.ActivationFacts; f != nil {
		in.ActivationFacts = f.complete()
	}
	return in
}

func (c Commit) complete() Commit {
	c.Trailers = filledMap(c.Trailers)
	if c.Signature.Status == "" {
		c.Signature.Status = "unsigned"
	}
	return c
}

func (c Change) complete() Change {
	c.Risk, c.Fields, c.Labels = filled(c.Risk), filled(c.Fields), filledMap(c.Labels)
	return c
}

func (f PromotionFacts) complete() *PromotionFacts {
	f.Upstream = each(f.Upstream, func(u Upstream) Upstream {
		u.Checks = filled(u.Checks)
		return u
	})
	f.Evidence = each(f.Evidence, Evidence.complete)
	f.Approvals = each(f.Approvals, Approval.complete)
	f.Contract.Broken = filled(f.Contract.Broken)
	return &f
}

func (f RolloutFacts) complete() *RolloutFacts {
	f.Rollout.Functions = filled(f.Rollout.Functions)
	f.Metrics = filledMap(f.Metrics)
	f.Alarms = filled(f.Alarms)
	return &f
}

func (f ActivationFacts) complete() *ActivationFacts {
	a := &f.Activation
	a.Files, a.Packages, a.Replay.Flips = filled(a.Files), filled(a.Packages), filled(a.Replay.Flips)
	a.Approvals = each(a.Approvals, Approval.complete)
	return &f
}

func (a Approval) complete() Approval {
	a.Teams, a.Codes = filled(a.Teams), filled(a.Codes)
	return a
}

func filled[E any](s []E) []E {
	if s == nil {
		return []E{}
	}
	return s
}

func filledMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// each applies complete to a copy of s.
func each[E any](s []E, complete func(E) E) []E {
	out := slices.Clone(filled(s))
	for i := range out {
		out[i] = complete(out[i])
	}
	return out
}
