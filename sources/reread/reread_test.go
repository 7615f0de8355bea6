package reread_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mooring.dev/sources/reread"
)

// mounted is a file as Kubernetes mounts it: a link to a folder that is
// replaced in one step.
type mounted struct {
	t    *testing.T
	dir  string
	turn int
}

func (m *mounted) path() string { return filepath.Join(m.dir, "..data", "token") }

// swap replaces what the file says; "" leaves the folder without it.
func (m *mounted) swap(text string) {
	m.t.Helper()
	m.turn++
	revision := strings.Repeat("v", m.turn)
	errs := []error{os.Mkdir(filepath.Join(m.dir, revision), 0o700)}
	if text != "" {
		errs = append(errs, os.WriteFile(filepath.Join(m.dir, revision, "token"), []byte(text), 0o600))
	}
	errs = append(errs, os.Symlink(revision, filepath.Join(m.dir, "next")), os.Rename(filepath.Join(m.dir, "next"), filepath.Join(m.dir, "..data")))
	if err := errors.Join(errs...); err != nil {
		m.t.Fatal(err)
	}
}

var errNoGood = errors.New("want it to begin with good")

func good(data []byte) (string, error) {
	if !strings.HasPrefix(string(data), "good") {
		return "", errNoGood
	}
	return reread.Text(data)
}

// What a file says counts at once; what cannot be used leaves what was before,
// and is told once, without what it says.
func TestFile(t *testing.T) {
	var told []string
	set := &reread.Set{Notice: func(err error) { told = append(told, err.Error()) }}
	m := &mounted{t: t, dir: t.TempDir()}
	f := reread.Open(set, reread.Spec[string]{What: "Git token", Path: m.path(), Parse: good})
	if _, err := f.Get(); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("before there is a file: %v", err)
	}
	for _, step := range []struct {
		says, want string
		changed    bool
		told       int
	}{
		{"good one\n", "good one", false, 0}, // the first is no change
		{"good one\n", "good one", false, 0},
		{"good two", "good two", true, 0},
		{"canary", "good two", false, 1},
		{"canary", "good two", false, 1}, // the same again is told no more
		{"", "good two", false, 2},
		{" \n", "good two", false, 3},
		{strings.Repeat("good", 1<<19), "good two", false, 4},
		{"good two", "good two", false, 4}, // back to what was
		{"canary", "good two", false, 5},   // and broken again
		{"good three", "good three", true, 5},
	} {
		m.swap(step.says)
		for range 3 {
			if got, err := f.Get(); err != nil || got != step.want {
				t.Fatalf("after %.20q: %q, %v; want %q", step.says, got, err, step.want)
			}
		}
		done := set.Renew(t.Context())
		if got := slices.Equal(done.Changed, []string{"Git token " + m.path()}); got != step.changed || len(done.Changed)+len(done.Kept) > 1 {
			t.Errorf("after %.20q: changed %v, kept %v", step.says, done.Changed, done.Kept)
		}
		if len(told) != step.told {
			t.Errorf("after %.20q told %d times, want %d: %q", step.says, len(told), step.told, told)
		}
	}
	if all := strings.Join(told, "\n"); strings.Contains(all, "canary") {
		t.Errorf("what a file says is told: %s", all)
	}
}

// What changed several times between two askings is told once; what stays
// broken is named each time one asks.
func TestSet(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var set reread.Set
	a := reread.Open(&set, reread.Spec[string]{What: "a", Path: write("a", "good 1"), Parse: good})
	reread.Open(&set, reread.Spec[string]{What: "b", Path: write("b", "good 1"), Parse: good})
	reread.Open(&set, reread.Spec[string]{What: "a", Path: a.Name()[2:], Parse: good}) // in place of the first
	if done := set.Renew(t.Context()); len(done.Changed)+len(done.Kept) != 0 || done.Err != nil {
		t.Errorf("at first: %+v", done)
	}
	write("a", "good 2")
	write("a", "good 3")
	write("b", "bad")
	for i := range 2 {
		done := set.Renew(t.Context())
		if len(done.Changed) != 1-i || !slices.Equal(done.Kept, []string{"b " + filepath.Join(dir, "b")}) || !errors.Is(done.Err, errNoGood) {
			t.Errorf("asked %d times: %+v", i+1, done)
		}
	}
	var none *reread.Set // of a process that tells nobody
	none.Add(a)
	if done := none.Renew(t.Context()); done.Err != nil {
		t.Error(done.Err)
	}
}
