package sources

import "testing"

type headed struct {
	Source
	head string
}

func (h headed) DefaultBranch() string { return h.head }

func TestControlBranch(t *testing.T) {
	both := map[string]Snapshot{"main": {}, "trunk": {}}
	trunk := map[string]Snapshot{"trunk": {}, "env/preview": {}}
	for _, c := range []struct {
		named   string
		source  Source
		fetched map[string]Snapshot
		want    string
	}{
		{"", headed{head: "trunk"}, both, "main"},
		{"", headed{head: "trunk"}, trunk, "trunk"},
		{"", headed{}, trunk, "main"},
		{"", nil, trunk, "main"}, // a source that knows of no default
		{"trunk", headed{head: "main"}, both, "trunk"},
		{"main", headed{head: "trunk"}, trunk, "main"}, // what was named is not guessed at
	} {
		if got := ControlBranch(c.named, c.source, c.fetched); got != c.want {
			t.Errorf("%q, %v: %s, want %s", c.named, c.fetched, got, c.want)
		}
	}
}
