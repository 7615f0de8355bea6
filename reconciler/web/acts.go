package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// actTimeout bounds how long a request waits for the environment's pass.
const actTimeout = 30 * time.Second

// Wish is the body of acts that need nothing said.
type Wish struct {
	Reason string `json:"reason"` // may be told; nothing needs it
}

// What some acts do, for the document of the API.
var (
	policyActs  = map[bool]string{false: "Says yes or no to policies that those in force keep out.", true: "Makes policies active whatever those in force say."}
	rolloutActs = map[string]string{
		RolloutRetry: "Lets failed content be tried again.", RolloutAbort: "Sends traffic back; the content is not tried again.",
		RolloutPause: "Leaves the release at its weight for a while.", RolloutResume: "Ends a pause.",
	}
	wishes = map[string]string{"promote": "Asks for content to move in.", "sync": "Lets an environment that waits for it take its admitted release."}
)

// acts are the routes that change something. Whether the caller may is checked
// by the operation, so that no second way to it is open.
func (s *server) acts() {
	s.api("POST /api/v1/environments/{name}/holds", purpose{does: "Stops writes, to all or to one resource; suspend lets all be, only looked at.", body: HoldRequest{}, answer: record.Hold{}}, act(func(ctx context.Context, name string, by access.Person, h HoldRequest) (any, error) {
		h.Environment, h.By = name, by
		return s.o.Control.Hold(ctx, h)
	}))
	s.api("POST /api/v1/environments/{name}/drift", purpose{does: "Puts a difference back, or lets it be for a while.", body: DriftAnswer{}, answer: Accepted{}}, act(func(ctx context.Context, name string, by access.Person, a DriftAnswer) (any, error) {
		a.Environment, a.By = name, by
		return accepted(s.o.Control.Answer(ctx, a))
	}))
	s.api("POST /api/v1/environments/{name}/approvals", purpose{does: "Says yes or no to content that waits.", body: ApprovalRequest{}, answer: Approval{}}, act(func(ctx context.Context, name string, by access.Person, a ApprovalRequest) (any, error) {
		a.Environment, a.By = name, by
		return s.o.Control.Approve(ctx, a)
	}))
	s.api("POST /api/v1/environments/{name}/resume", purpose{does: "Lifts a hold, or every one.", body: ResumeRequest{}, answer: Accepted{}}, act(func(ctx context.Context, name string, by access.Person, b ResumeRequest) (any, error) {
		b.Environment, b.By = name, by
		return accepted(s.o.Control.Resume(ctx, b))
	}))
	s.api("POST /api/v1/environments/{name}/rollback", purpose{does: "Returns to an earlier release and holds it there.", body: RollbackRequest{}, answer: Accepted{}}, act(func(ctx context.Context, name string, by access.Person, b RollbackRequest) (any, error) {
		b.Environment, b.By = name, by
		return accepted(s.o.Control.Rollback(ctx, b))
	}))
	if w, ok := s.o.Control.(Witness); ok {
		s.api("POST /api/v1/environments/{name}/checks/{check}", purpose{does: "Gives the verdict of a check that waits for it.", body: VerdictRequest{}, answer: record.CheckResult{}}, func(r *http.Request, by access.Person) (any, error) {
			return act(func(ctx context.Context, name string, by access.Person, v VerdictRequest) (any, error) {
				v.Environment, v.Check, v.By = name, r.PathValue("check"), by
				return w.Verdict(ctx, v)
			})(r, by)
		})
	}
	if g, ok := s.o.Control.(Governor); ok {
		for path, force := range map[string]bool{"approvals": false, "activate": true} {
			s.api("POST /api/v1/policies/"+path, purpose{does: policyActs[force], body: PolicyRequest{}, answer: Approval{}}, act(func(ctx context.Context, _ string, by access.Person, r PolicyRequest) (any, error) {
				if r.By, r.Force = by, force; force {
					r.Answer = record.Approved
				}
				return g.PolicyWord(ctx, r)
			}))
		}
	}
	if k, ok := s.o.Control.(Keeper); ok {
		s.backup(k)
	}
	if c, ok := s.o.Control.(Collector); ok {
		s.api("POST /api/v1/evidence", purpose{does: "Keeps signed statements.", body: "a DSSE envelope, or one on each line", answer: []Statement{}}, func(r *http.Request, by access.Person) (any, error) {
			envelope, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, badRequest{fmt.Errorf("request body: %w", err)}
			}
			ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
			defer cancel()
			return c.AddEvidence(ctx, EvidenceRequest{Envelope: envelope, By: by})
		})
	}
	if d, ok := s.o.Control.(Destroyer); ok {
		s.destroys(d)
	}
	if t, ok := s.o.Control.(Tester); ok {
		s.api("POST /api/v1/receivers/{receiver}/test", purpose{does: "Sends a test message to a receiver.", answer: Accepted{}}, func(r *http.Request, by access.Person) (any, error) {
			ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
			defer cancel()
			return accepted(t.TestReceiver(ctx, r.PathValue("receiver"), by))
		})
	}
	for path, do := range map[string]string{
		"retry": RolloutRetry, "rollout/abort": RolloutAbort, "rollout/pause": RolloutPause, "rollout/resume": RolloutResume, "rollout/retry": RolloutRetry,
	} {
		s.api("POST /api/v1/environments/{name}/"+path, purpose{does: rolloutActs[do], body: RolloutRequest{}, answer: Accepted{}}, act(func(ctx context.Context, name string, by access.Person, b RolloutRequest) (any, error) {
			b.Environment, b.Act, b.By = name, do, by
			return accepted(s.o.Control.Rollout(ctx, b))
		}))
	}
	for path, do := range map[string]func(context.Context, string, access.Person) error{
		"promote": s.o.Control.Promote, "sync": s.o.Control.Sync,
	} {
		s.api("POST /api/v1/environments/{name}/"+path, purpose{does: wishes[path], body: Wish{}, answer: Accepted{}}, act(func(ctx context.Context, name string, by access.Person, _ Wish) (any, error) {
			return accepted(do(ctx, name, by))
		}))
	}
}

// act reads the body of a request and does what it asks for.
func act[B any](do func(ctx context.Context, name string, by access.Person, body B) (any, error)) func(*http.Request, access.Person) (any, error) {
	return func(r *http.Request, by access.Person) (any, error) {
		var b B
		if err := read(r, &b); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
		defer cancel()
		return do(ctx, r.PathValue("name"), by, b)
	}
}

func accepted(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return Accepted{Accepted: true}, nil
}
