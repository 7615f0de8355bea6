package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mooring.dev/reconciler/web"
)

// act is one scene: it plays, and returns the evidence that it went as told.
type act struct {
	title string
	play  func(ctx context.Context, st *stage) ([]string, error)
}

// acts is the story.
var acts = []act{
	{"a first deployment to preview, and on to staging and production by content", firstDeployment},
	{"a good release: canary, passed, promoted with the same digest", goodRelease},
	{"a bad release loses a tenth of its orders: traffic goes back, production is untouched", badRelease},
	{"a commit that policy denies: nothing in the cloud changes", deniedCommit},
	{"somebody changes five things by hand: seen, attributed, put back", driftByHand},
	{"an operator stops a function: held and told, not undone", mitigation},
	{"the secret is about to be deleted: nothing is promoted into production", brokenContract},
	{"the daemon is killed in mid-canary: it goes on", killed},
}

// play goes through every act; the first that fails ends the demo with its
// name.
func (st *stage) play(ctx context.Context) error {
	for i, a := range acts {
		fmt.Fprintf(st.o.Out, "\nAct %d: %s\n", i+1, a.title)
		evidence, err := a.play(ctx, st)
		for _, line := range evidence {
			st.say("  ✓ %s", line)
		}
		if err != nil {
			st.say("  ✗ %v", err)
			st.explain(ctx)
			return fmt.Errorf("act %d (%s) failed: %w", i+1, a.title, err)
		}
	}
	st.say("all %d acts verified in %.0fs; %d calls of customers, %d lost", len(acts), time.Since(st.started).Seconds(), st.traffic.sent.Load(), st.traffic.failed.Load())
	return nil
}

// explain prints what a person would look at first.
func (st *stage) explain(ctx context.Context) {
	if s, err := st.daemon.status(ctx); err == nil {
		for _, e := range s.Environments {
			st.say("  %s: %s %s phase=%s weight=%d verdict=%s paused=%s error=%s promotion=%s", e.Name, e.State, e.Reason, e.Rollout.Phase, e.Rollout.Weight, e.Rollout.Verdict, e.Rollout.Paused, e.LastError, e.Promotion)
		}
	}
	fmt.Fprintln(st.o.Out, tail(st.daemon.log))
}

// environments of the shop in their order.
var environments = []string{"preview", "staging", "production"}

// errNotYet is what a wait repeats on.
var errNotYet = errors.New("not yet")

// wait polls the daemon until check is content.
func (st *stage) wait(ctx context.Context, limit time.Duration, what string, check func(s web.Status) error) error {
	deadline := time.Now().Add(limit)
	last := errNotYet
	for time.Now().Before(deadline) {
		s, err := st.daemon.status(ctx)
		if err == nil {
			err = check(s)
		}
		if err == nil {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s: not within %s: %w", what, limit, last)
}

// in finds one environment.
func in(s web.Status, name string) web.EnvironmentStatus {
	for _, e := range s.Environments {
		if e.Name == name {
			return e
		}
	}
	return web.EnvironmentStatus{Name: name, State: "unknown"}
}

// atRest is true when an environment runs the commit and nothing is open.
func atRest(s web.Status, name, content string) error {
	e := in(s, name)
	switch {
	case e.State != "in_sync":
		return fmt.Errorf("%s is %s (%s %d%%) %s %s", name, e.State, e.Rollout.Phase, e.Rollout.Weight, e.Reason, e.Promotion)
	case content != "" && e.Content != content:
		return fmt.Errorf("%s has content %.19s, want %.19s; %s", name, e.Content, content, e.Promotion)
	}
	return nil
}

// contentOf waits until preview's release names a commit and tells its
// content.
func (st *stage) contentOf(ctx context.Context, commit string) (string, error) {
	content := ""
	err := st.wait(ctx, 15*time.Second, "preview takes the commit", func(s web.Status) error {
		e := in(s, "preview")
		if e.Commit != commit {
			return fmt.Errorf("preview is at %.12s, %s", e.Commit, e.Reason)
		}
		content = e.Content
		return nil
	})
	return content, err
}

// everywhere waits until every environment runs a content.
func (st *stage) everywhere(ctx context.Context, content string, limit time.Duration) error {
	return st.wait(ctx, limit, "the content reaches every environment", func(s web.Status) error {
		for _, name := range environments {
			if err := atRest(s, name, content); err != nil {
				return err
			}
		}
		return nil
	})
}

// calm waits until every environment is in sync with whatever it has.
func (st *stage) calm(ctx context.Context) error {
	return st.everywhere(ctx, "", 30*time.Second)
}

func short(s string) string {
	s = strings.TrimPrefix(s, "sha256:")
	return s[:min(12, len(s))]
}
