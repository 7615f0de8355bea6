package reconciler

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// Whoever rolls back and asks once more, not knowing what came of it, is told
// and brings nothing back that was gone back over, nor what only had a share of
// the traffic: neither at rest nor in a canary. The next release is gone back
// from to what was in force before it.
func TestRollingBackTwiceGoesNowhere(t *testing.T) {
	for name, c := range map[string]struct {
		moves bool
		to    int
	}{"at rest": {false, 2}, "in a canary": {true, 3}} {
		s, commits, _ := kept(t)
		if c.moves {
			s.bring(4)
			s.until(5*time.Minute, func() bool { return s.watch.environment("production").Rollout.Reached })
		}
		at := func(when string, version int) {
			t.Helper()
			s.run(10 * time.Minute)
			ro := s.watch.environment("production").Rollout
			if ro.Phase != rollout.Idle || ro.Release.Commit != commits[version-1] || s.live() != (providers.Routing{Version: fmt.Sprint(version)}) {
				t.Errorf("%s, %s: %.12s is in %q, traffic at %+v", name, when, ro.Release.Commit, ro.Phase, s.live())
			}
		}
		must(s.back(""))
		s.until(time.Minute, func() bool { return s.watch.environment("production").Rollout.Phase == rollout.Back })
		must(s.back(""))
		at("once", c.to)
		if n := len(s.watch.environment("production").Holds); n != 1 {
			t.Errorf("%s: %d holds", name, n)
		}
		further := short(s.watch.environment("production").Known[c.to-2].Release.Digest)
		if err := s.back(""); err == nil || !strings.Contains(err.Error(), "--to "+further) {
			t.Errorf("%s, asked again: %v", name, err)
		}
		at("twice", c.to)
		must(s.back(further))
		at("further", c.to-1)
		must(s.lift())
		s.bring(5)
		if !s.until(time.Hour, s.ended("5")) && !s.until(time.Hour, s.ended("4")) {
			t.Fatalf("%s: the next release: %v", name, s.open())
		}
		must(s.back(""))
		at("from the next one", c.to-1)
		sound(t, s)
	}
}

// A rollback that nothing holds any more, since the branch was brought to it, is
// over: whoever asks then goes one further.
func TestRollingBackFromWhatWasReturnedTo(t *testing.T) {
	s, commits, _ := kept(t)
	must(s.back(""))
	s.run(10 * time.Minute)
	s.bring(2)
	s.run(time.Minute)
	must(s.lift())
	s.run(10 * time.Minute)
	must(s.back(""))
	s.run(10 * time.Minute)
	if ro := s.watch.environment("production").Rollout; ro.Release.Commit != commits[0] || s.live() != (providers.Routing{Version: "1"}) {
		t.Errorf("%.12s is in force, traffic at %+v", ro.Release.Commit, s.live())
	}
	sound(t, s)
}

// lift has all holds of production lifted.
func (s *simulation) lift() error {
	return s.ask("production", func(ctx context.Context, d *Daemon) error {
		return d.Resume(ctx, web.ResumeRequest{Environment: "production", By: access.Stated("bob")})
	})
}

// What is meant by the beginning of several releases is asked for again, and no
// part of "sha256:" is the beginning of any.
func TestRollbackToOneRelease(t *testing.T) {
	s, commits, _ := kept(t)
	known := s.watch.environment("production").Known
	p := &pass{e: s.d.environment("production"), st: s.watch.environment("production"), now: s.real}
	p.st.Known = append(p.st.Known, record.Admission{Release: record.Release{Commit: commits[0][:8] + strings.Repeat("0", 32), Digest: "sha256:00"}})
	for name, says := range map[string]string{"s": "never released", "sha": "never released", commits[0][:8]: "several releases"} {
		if rel, err := p.returnTarget(name, s.real); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is %+v: %v", name, rel, err)
		}
	}
	for _, name := range []string{commits[0], known[0].Release.Digest, known[0].Release.Digest[7:15]} {
		if rel, err := p.returnTarget(name, s.real); err != nil || rel != known[0].Release {
			t.Errorf("%q is %+v: %v", name, rel, err)
		}
	}
}

// Releases that were in force, by what became of each rollout.
func TestReleasesThatWereInForce(t *testing.T) {
	rel := func(name string) record.Release {
		if name == "" {
			return record.Release{}
		}
		return record.Release{Digest: name}
	}
	for text, want := range map[string]string{
		"A in_force": "A", "A stopped": "", "A in_force, B moving": "A", "A in_force, B superseded, C in_force A": "A C",
		"A in_force, B returned A": "A", "A in_force, B in_force A, C in_force B": "A B C",
		"A in_force, B in_force A, B returned A":                                           "A",
		"A in_force, B in_force A, C in_force B, C returned B, B returned A, D in_force A": "A D",
		"A in_force, B in_force A, C in_force B, C returned A, A returned B, B in_force B": "A B",
		"B in_force A":                             "A B", // A was found in place
		"A in_force, B in_force A, A in_force B":   "A B A",
		"A in_force, B superseded A, C in_force B": "A B C", // every stage was passed
		"A in_force, A in_force A, B in_force A":   "A B",
	} {
		var all []journal.Rollout
		for _, one := range strings.Split(text, ", ") {
			f := append(strings.Fields(one), "")
			all = append(all, journal.Rollout{Release: rel(f[0]), Outcome: f[1], Stable: rel(f[2])})
		}
		var got []string
		for _, r := range wereInForce(all) {
			got = append(got, r.Digest)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}
