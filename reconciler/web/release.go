package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
)

// admission is how a release was let into an environment: what it would change
// there, what policy found, and whose word it was given in view of.
type admission struct {
	Decisions []judged // of its promotion, where there was one, and its admission
	Changes   []policy.Change
	More      int // changes that are not shown
	Lost      string
	Approvals []policy.Approval
}

// Bounds of what is looked through for one admission, and of what is shown.
const (
	admissionReach = 7 * 24 * time.Hour // before the release began
	admissionPages = 20
	mostChanges    = 200
)

// releasePage is one release's way into one environment: what it was to change,
// every look at it, and what policy said about it.
func (s *server) releasePage(w http.ResponseWriter, r *http.Request, who access.Person) {
	name, wanted := r.PathValue("name"), r.PathValue("release")
	rollouts, err := s.o.View.Rollouts(r.Context(), RolloutQuery{Environment: name, Release: wanted, Looks: true, Limit: 5})
	if err == nil && len(rollouts) == 0 {
		s.missing(w, who, name, "No release "+wanted+" came into "+name+" as far as the journal goes back.")
		return
	}
	data := map[string]any{"Frame": s.frame(who, "release "+wanted[:min(12, len(wanted))]+" in "+name), "Name": name, "Wanted": wanted, "Rollouts": rollouts}
	if err == nil {
		data["Admission"], err = s.admissionOf(r.Context(), rollouts[0])
	}
	if err != nil {
		data["Fault"] = err.Error()
	}
	s.show(w, "release.html", data)
}

// admissionOf is what the journal keeps of how a rollout's release was let in.
func (s *server) admissionOf(ctx context.Context, r Rollout) (a admission, err error) {
	if p := r.Promotion; p != nil && p.Decision != "" {
		page, err := s.o.View.Decisions(ctx, journal.DecisionQuery{ID: p.Decision, Limit: 1})
		if err != nil {
			return a, err
		}
		for _, d := range page.Decisions {
			a.take(judgedOf(d))
		}
	}
	q := journal.DecisionQuery{Environment: r.Environment, Point: string(policy.Admission), Since: r.Began.Add(-admissionReach), Limit: perPage}
	var last *judged
	for range admissionPages {
		page, err := s.o.View.Decisions(ctx, q)
		if err != nil {
			return a, err
		}
		for _, d := range page.Decisions {
			if j := judgedOf(d); !d.At.After(r.Began) && j.asked().Release.Digest == r.Release.Digest {
				last = &j
			}
		}
		if q.After = page.Next; q.After == 0 || len(page.Decisions) > 0 && page.Decisions[len(page.Decisions)-1].At.After(r.Began) {
			break
		}
	}
	if last != nil {
		a.take(*last)
	}
	return a, nil
}

// take adds a decision, and what it was given that says more than those before.
func (a *admission) take(j judged) {
	a.Decisions = append(a.Decisions, j)
	in := j.asked()
	if in.PromotionFacts != nil {
		a.Approvals = in.Approvals
	}
	if j.Said.Point == policy.Admission {
		a.Lost, a.Changes = j.Said.Lost, in.Changes
		a.More = max(0, len(a.Changes)-mostChanges)
		a.Changes = slices.Clone(a.Changes[:len(a.Changes)-a.More])
		for i := range a.Changes {
			a.Changes[i].Fields = said(a.Changes[i])
		}
	}
}

// said are the fields of a change but those that a thing is created without.
func said(c policy.Change) (fields []policy.FieldChange) {
	for _, f := range c.Fields {
		if c.Operation != "create" || !slices.Contains([]string{"", "null", `""`, "[]", "{}", "false", "0"}, string(f.After)) {
			fields = append(fields, f)
		}
	}
	return fields
}

// judgedOf reads a record.
func judgedOf(d RecordedDecision) judged {
	j := judged{RecordedDecision: d}
	var err error
	if j.Said, err = policy.ParseRecorded([]byte(d.Line)); err != nil {
		j.Fault = err.Error()
	}
	return j
}

// asked is the document a decision was made of; empty where it was not kept.
func (j judged) asked() (in policy.Input) {
	if json.Unmarshal(j.Said.Input, &in) != nil {
		return policy.Input{}
	}
	return in
}
