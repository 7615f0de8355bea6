package reconciler

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/sources"
)

// A pipeline that names another host has everything said there as if nothing
// had been said yet: the statuses, the pull request as it shall be, and the
// comment on it, though both hosts number alike.
func TestAnotherHostIsToldEverything(t *testing.T) {
	files := byPullRequest(nil)
	var other *crowd
	moved := false
	onHostOf(t, files, func(s *stand) sources.Host {
		if moved {
			return other
		}
		return s.crowd
	}, func(t *testing.T, s *stand) {
		s.push("env/preview", firstContent().files())
		s.push("env/production", firstContent().files())
		s.wait(20 * time.Minute)
		s.bring(512)
		before := s.crowd.requests()
		text, _ := s.crowd.comment(1, "production")
		if len(before) != 1 || text == "" {
			t.Fatalf("requests %+v, comment %q", before, text)
		}
		other = &crowd{head: s.branch, reviews: map[int][]sources.Review{}, comments: map[string][]string{}}
		other.pull("mooring/promote/production", "env/production") // of an earlier time, in other words
		moved = true
		files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "repository: acme/shop,", "repository: acme/shop, endpoint: 'https://git.example.com',", 1)
		s.push("main", files)
		s.wait(10 * time.Minute)
		for _, env := range []string{"preview", "production"} {
			if got := other.last(s.branch("env/"+env), "mooring/"+env); got.State != sources.StatusSuccess {
				t.Errorf("%s: %+v", env, got)
			}
		}
		if got := other.last(before[0].Commit, "mooring/production"); got.State != sources.StatusSuccess {
			t.Errorf("beside the request: %+v", got)
		}
		if got := other.requests(); len(got) != 1 || got[0].Title != before[0].Title || got[0].Body != before[0].Body {
			t.Errorf("requests there: %+v", got)
		}
		if there, _ := other.comment(1, "production"); there != text {
			t.Errorf("the comment there: %q, want %q", there, text)
		}
	})
}
