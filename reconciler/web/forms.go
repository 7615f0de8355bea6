package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// forms are the acts as the page sends them. They lead to the same operations
// as the API's, which check by themselves who may.
func (s *server) forms() {
	s.closed("POST /environments/{name}/act/{act}", func(w http.ResponseWriter, r *http.Request, by access.Person) {
		name, n := r.PathValue("name"), noteOf(r)
		do := s.deeds()[r.PathValue("act")]
		if do == nil {
			n.refused(auditInvalid, fmt.Errorf("act %s: unknown", r.PathValue("act")))
			refuse(w, http.StatusNotFound, "act "+r.PathValue("act")+": unknown", "")
			return
		}
		if err := r.ParseForm(); err != nil {
			n.refused(auditInvalid, err)
			refuse(w, http.StatusBadRequest, "the form could not be read", "")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
		defer cancel()
		said := url.Values{}
		for _, values := range r.PostForm {
			for i := range values {
				values[i] = tokenless(values[i], n.own)
			}
		}
		n.asksForm(r.PathValue("act"), r.PostForm)
		d := deed{name: name, by: by, form: r.PostForm}
		_, err := d.reason()
		if err == nil || mute[r.PathValue("act")] {
			err = do(ctx, d)
		}
		if n.ended(err); err != nil {
			said.Set("refused", err.Error())
		} else {
			said.Set("done", r.PathValue("act"))
		}
		http.Redirect(w, r, "/environments/"+url.PathEscape(name)+"?"+said.Encode(), http.StatusSeeOther)
	})
}

// mute are the acts that need no reason: the others say why, in the audit record
// where nowhere else.
var mute = map[string]bool{"approval": true, "resume": true}

// deed is one act a person wants, as a form says it.
type deed struct {
	name string
	by   access.Person
	form url.Values
}

// long is how long something shall last; a form without it means nothing lasts.
func (d deed) long() (time.Duration, error) {
	text := d.form.Get("for")
	long, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("for %q: want a time as 4h", text)
	}
	return long, nil
}

func (d deed) reason() (string, error) {
	if r := d.form.Get("reason"); r != "" {
		return r, nil
	}
	return "", errors.New("say why: the reason is missing")
}

// deeds are the acts by their names in a form's address.
func (s *server) deeds() map[string]func(context.Context, deed) error {
	c := s.o.Control
	return map[string]func(context.Context, deed) error{
		"hold": func(ctx context.Context, d deed) error {
			reason, long, err := reasonFor(d)
			if err != nil {
				return err
			}
			_, err = c.Hold(ctx, HoldRequest{Environment: d.name, Resource: d.form.Get("resource"), Reason: reason, For: long, By: d.by, Suspend: d.form.Get("suspend") != ""})
			return err
		},
		"resume": func(ctx context.Context, d deed) error {
			return c.Resume(ctx, ResumeRequest{Environment: d.name, Hold: d.form.Get("hold"), Reason: d.form.Get("reason"), By: d.by})
		},
		"rollback": func(ctx context.Context, d deed) error {
			return c.Rollback(ctx, RollbackRequest{Environment: d.name, To: d.form.Get("to"), Reason: d.form.Get("reason"), By: d.by})
		},
		"promote": func(ctx context.Context, d deed) error { return c.Promote(ctx, d.name, d.by) },
		"sync":    func(ctx context.Context, d deed) error { return c.Sync(ctx, d.name, d.by) },
		"rollout": func(ctx context.Context, d deed) error {
			r := RolloutRequest{Environment: d.name, Act: d.form.Get("do"), Reason: d.form.Get("reason"), By: d.by}
			if r.Act == RolloutPause {
				var err error
				if r.For, err = d.long(); err != nil {
					return err
				}
			}
			return c.Rollout(ctx, r)
		},
		"drift": func(ctx context.Context, d deed) error {
			a := DriftAnswer{Environment: d.name, Item: d.form.Get("item"), Accept: d.form.Get("do") == "accept", Reason: d.form.Get("reason"), By: d.by}
			if a.Accept {
				var err error
				if a.Reason, a.For, err = reasonFor(d); err != nil {
					return err
				}
			}
			return c.Answer(ctx, a)
		},
		"approval": func(ctx context.Context, d deed) error {
			_, err := c.Approve(ctx, ApprovalRequest{Environment: d.name, Answer: record.Answer(d.form.Get("do")), Content: d.form.Get("content"),
				Reason: d.form.Get("reason"), By: d.by})
			return err
		},
	}
}

func reasonFor(d deed) (string, time.Duration, error) {
	reason, why := d.reason()
	long, err := d.long()
	return reason, long, errors.Join(why, err)
}
