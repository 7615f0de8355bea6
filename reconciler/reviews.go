package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// version is what a comment told people of findings, and since when by the
// host's clock.
type version struct {
	at    time.Time
	codes []string
}

// maxShown is how many versions of a comment are remembered.
const maxShown = 20

// saw are the findings that stood on a pull request when something was said
// there. What stood there before we came is not known: then none was seen. Of
// what changed in the same moment, by a host that tells seconds in the same
// second, only what stood there before and after was.
func saw(versions []version, at time.Time) []string {
	seen := []string{}
	for _, v := range versions {
		switch {
		case v.at.Before(at):
			seen = v.codes
		case v.at.Equal(at):
			seen = slices.DeleteFunc(slices.Clone(seen), func(code string) bool { return !slices.Contains(v.codes, code) })
		}
	}
	return seen
}

// hear takes the reviews of a pull request for what their givers say of the
// content it brings: yes, or no. It counts for this commit, for persons that
// the pipeline names, and never for who opened the request.
func (h *herald) hear(ctx context.Context, w *world, spec manifest.Environment, r sources.PullRequest) error {
	pl := h.plans[requestKey(r.Number, spec.Name)]
	if pl.key == (record.Key{}) || w.pipeline.Host == nil || len(w.pipeline.Host.Identities) == 0 {
		return nil
	}
	all, err := h.host.Reviews(ctx, r.Number)
	if err != nil {
		return err
	}
	var words []record.Approval
	for _, v := range all {
		who, known := w.pipeline.Host.Person(v.Login)
		counts := known && v.Commit != "" && v.Commit == r.Commit && !strings.EqualFold(v.Login, r.Author)
		if !counts || len(who.Environments) > 0 && !slices.Contains(who.Environments, spec.Name) {
			continue
		}
		a := record.Approval{Key: pl.key, By: who.Name, Verified: true, Emails: who.Emails, Teams: who.Teams, Review: reviewID(r.Number, v.ID)}
		switch v.Verdict {
		case sources.Approves:
			a.Answer, a.Findings = record.Approved, saw(h.versions[requestKey(r.Number, spec.Name)], v.At)
		case sources.RequestsChanges:
			a.Answer, a.Findings = record.Rejected, []string{}
			a.Reason = cmp.Or(strings.TrimSpace(atMost(v.Body, 500)), fmt.Sprintf("wants changes on pull request %d", r.Number))
		default:
			continue
		}
		words = append(words, a)
	}
	return h.d.heard(ctx, spec.Name, reviewsOf{prefix: reviewID(r.Number, ""), key: pl.key, words: words})
}

// reviewID names a review in the journal.
func reviewID(number int, id string) string { return fmt.Sprintf("%d/%s", number, id) }

func atMost(text string, n int) string {
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}

// reviewsOf are the words that stand on one pull request about a content.
type reviewsOf struct {
	prefix string // of the reviews' names
	key    record.Key
	words  []record.Approval
}

// heard records the words that are new, and takes back those that stand no
// more. What a person said since by another way is not touched.
func (d *Daemon) heard(ctx context.Context, name string, r reviewsOf) error {
	e := d.environment(name)
	if e == nil {
		return nil
	}
	pub := e.published.Load()
	if pub == nil || len(r.news(pub.words, d.opts.Now())) == 0 {
		return nil
	}
	return d.do(ctx, name, func(ctx context.Context, e *environment) error {
		recs := []journal.Record{}
		for _, a := range r.news(e.state().Approvals, d.opts.Now()) {
			recs = append(recs, journal.Record{Approval: &a})
		}
		if err := e.remember(ctx, recs...); err != nil {
			return errors.Join(fmt.Errorf("record reviews of %s", name), err)
		}
		return nil
	})
}

// news is what the words known so far do not say yet.
func (r reviewsOf) news(known []record.Approval, now time.Time) []record.Approval {
	var out []record.Approval
	newest := map[string]record.Approval{}
	taken := map[string]bool{}
	for _, a := range known {
		if a.Key == r.key && !a.Guard {
			newest[a.Person()] = a
			if a.Answer != record.Withdrawn {
				taken[a.Review] = true
			}
		}
	}
	stands := map[string]bool{} // whose word
	for _, a := range r.words {
		stands[a.Person()] = true
		if !taken[a.Review] {
			a.At = now
			if a.Answer == record.Approved {
				a.Until = now.Add(approvalFor)
			}
			out = append(out, a)
		}
	}
	for _, a := range sorted(newest) {
		if strings.HasPrefix(a.Review, r.prefix) && a.Answer != record.Withdrawn && !stands[a.Person()] {
			a.Answer, a.Reason, a.At, a.Until = record.Withdrawn, "the review stands no more", now, time.Time{}
			out = append(out, a)
		}
	}
	return out
}
