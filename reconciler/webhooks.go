package reconciler

import (
	"context"
	"errors"
	"sync"
	"time"

	"mooring.dev/reconciler/trace"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// errUnread: what is asked about is not known yet.
var errUnread = errors.New("the repository was not read yet")

// Webhook implements web.Webhooks: how the pipeline says a host proves itself.
func (d *Daemon) Webhook(name string) (web.Webhook, bool, error) {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return web.Webhook{}, false, errUnread
	}
	secret, repository := webhookSecret(w.pipeline.Host, name)
	if secret == nil || d.opts.Secret == nil {
		return web.Webhook{}, false, nil
	}
	text, err := d.opts.Secret(*secret)
	return web.Webhook{Secret: text, Repository: repository}, true, err
}

// webhookSecret is what a host's requests are signed with, and the repository
// they must be about; nil when the pipeline does not say.
func webhookSecret(h *manifest.Host, name string) (*manifest.Secret, string) {
	if h == nil {
		return nil, ""
	}
	if name == "generic" {
		if h.Generic == nil {
			return nil, ""
		}
		return h.Generic.WebhookSecret, ""
	}
	there := map[string]bool{"github": h.GitHub != nil, "gitlab": h.GitLab != nil, "gitea": h.Gitea != nil, "bitbucket": h.Bitbucket != nil}
	if !there[name] {
		return nil, ""
	}
	r := h.Repository()
	return r.WebhookSecret, r.Repository
}

// Hint implements web.Webhooks: the repository is read soon. What the hint says
// is believed in so far only that it says where to look.
func (d *Daemon) Hint(h web.Hint) bool {
	w := d.world.Load()
	if w == nil || w.pipeline == nil {
		return false
	}
	from, _ := trace.Parse(h.Traceparent)
	matters, news := h.Anything || h.Reviewed, h.Anything || h.Reviewed
	for branch, commit := range h.Pushed {
		at := w.snapshots[branch].Commit.SHA
		if !d.follows(w, branch) {
			continue
		}
		matters = true
		if commit == "" || commit != at {
			d.chase.expect(branch, pushedTo{was: at, is: commit, at: d.opts.Now(), from: from})
			news = true
		}
	}
	if h.Anything || h.Reviewed {
		d.wakeReviews()
	}
	if news {
		select {
		case d.hintWake <- struct{}{}:
		default:
		}
	}
	return matters
}

// follows tells whether a branch is the control branch or an environment's.
func (d *Daemon) follows(w *world, branch string) bool {
	if branch == w.main {
		return true
	}
	for _, e := range w.pipeline.Environments {
		if e.Branch == branch {
			return true
		}
	}
	return false
}

// chase is which pushes were told of and not seen yet: a host tells of a push
// before everybody who asks is shown it.
type chase struct {
	mu     sync.Mutex
	pushed map[string]pushedTo // by branch
	looks  int                 // since the last hint
}

type pushedTo struct {
	was, is string
	at      time.Time   // heard of first
	from    trace.Place // the trace that whoever told it was in; linked, never joined
}

// rechecks are how long to wait between looks for a push that was told of.
var rechecks = [...]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// expect notes where a branch was when a push was told, and where it is said
// to be.
func (c *chase) expect(branch string, to pushedTo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pushed == nil {
		c.pushed = map[string]pushedTo{}
	}
	if before, ok := c.pushed[branch]; ok {
		to.at = before.at
	}
	c.pushed[branch], c.looks = to, 0
}

// heard is the push that a branch is looked at for; zero: none was told.
func (c *chase) heard(branch string) pushedTo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pushed[branch]
}

// next is when to look again after having read w; 0 when there is nothing to
// look for, or it has not come after all of the looks.
func (c *chase) next(w *world) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for branch, p := range c.pushed {
		if at := w.snapshots[branch].Commit.SHA; at != p.was || at == p.is {
			delete(c.pushed, branch)
		}
	}
	if len(c.pushed) == 0 || c.looks >= len(rechecks) {
		clear(c.pushed)
		return 0
	}
	c.looks++
	return rechecks[c.looks-1]
}

// Reads for hints are made at once when the last was longer ago than
// gatherMost, and otherwise when hints have been silent for gatherQuiet, or
// gatherMost after the last: a burst of pushes is a few reads.
const gatherQuiet, gatherMost = time.Second, 5 * time.Second

// gather waits for the hints that belong together; false when ctx ended.
func (d *Daemon) gather(ctx context.Context, last time.Time) bool {
	for {
		wait := gatherMost - d.opts.Now().Sub(last)
		if wait <= 0 {
			return true
		}
		quiet := time.NewTimer(min(wait, gatherQuiet))
		select {
		case <-ctx.Done():
			quiet.Stop()
			return false
		case <-d.fetchWake:
			quiet.Stop()
			return true
		case <-quiet.C:
			return true
		case <-d.hintWake:
			quiet.Stop()
		}
	}
}
