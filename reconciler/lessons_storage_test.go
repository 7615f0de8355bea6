package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// Lesson 60: an account without room for another version refuses the release
// once, is told of once, and takes it when there is room and somebody says so.
func TestLesson60StorageIsUsedUp(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	tries := 0
	s.inject = func(op string, ref manifest.Ref) error {
		if op != "publish:before" {
			return nil
		}
		tries++
		return providers.Errorf(providers.Invalid, "lambda:PublishVersion: CodeStorageExceededException")
	}
	k := firstContent()
	k.checkout = code(8)
	s.repo.commit("env/production", k.files())
	s.run(2 * time.Hour)
	if n := s.alerts("step", "firing"); n != 1 || tries != 1 {
		t.Errorf("tried %d times and told %d times", tries, n)
	}
	if s.live() != (providers.Routing{Version: "1"}) {
		t.Errorf("traffic is at %+v", s.live())
	}
	s.inject = func(string, manifest.Ref) error { return nil }
	s.run(time.Hour)
	if s.live() != (providers.Routing{Version: "1"}) {
		t.Error("it was tried again unasked: nobody knows that there is room")
	}
	must(s.word(web.RolloutRetry, "there is room again"))
	settled(t, s)
	if n := s.alerts("step", "resolved"); n != 1 || s.live() != (providers.Routing{Version: "2"}) {
		t.Errorf("told %d times that it is over; traffic is at %+v", n, s.live())
	}
	sound(t, s)
}

// Lesson 60: old versions go by themselves, and however many releases failed
// since, the two that were in force last keep theirs.
func TestLesson60CleaningKeepsTheLastTwoGood(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	release := func(checkout string) {
		k := firstContent()
		k.checkout = checkout
		s.repo.commit("env/production", k.files())
		s.run(time.Hour)
		for id := range s.watch.environment("production").Holds {
			must(s.ask("production", func(ctx context.Context, d *Daemon) error {
				return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: id, By: access.Stated("ann")})
			}))
		}
	}
	release(code(8))
	release(code(9))
	good := s.watch.environment("production").Rollouts
	for n := range keepVersions + 3 {
		bad := badCode(20 + n)
		s.platform.SetErrors(bad, 0.9)
		release(bad)
	}
	release(code(9))
	s.run(2 * time.Hour)
	versions := s.platform.Versions("production-checkout")
	if len(versions) > keepVersions+4 {
		t.Errorf("%d versions: nothing was cleaned up", len(versions))
	}
	for _, number := range []string{"2", "3"} {
		if _, there := versions[number]; !there {
			t.Errorf("version %s, which served, is gone; there are %v", number, versions)
		}
	}
	must(s.back(good[len(good)-2].Release.Commit[:12]))
	if !s.until(time.Hour, s.ended("2")) {
		t.Errorf("the way back to version 2 is closed: %s", strings.Join(s.open(), "; "))
	}
	sound(t, s)
}
