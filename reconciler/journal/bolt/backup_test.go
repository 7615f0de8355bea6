package bolt_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
)

// backedUp is a backup of a journal.
func backedUp(t *testing.T, path string) (backup string) {
	t.Helper()
	s, err := bolt.Existing(path)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	backup = filepath.Join(t.TempDir(), "backup.db")
	_, err = bolt.Keep(t.Context(), backup, func(w io.Writer) error { _, err := s.WriteTo(w); return err })
	must(t, err)
	return backup
}

func further(t *testing.T, path string) {
	t.Helper()
	s, err := bolt.Existing(path)
	must(t, err)
	fence, err := s.Acquire(t.Context(), "b")
	must(t, err)
	must(t, s.Append(t.Context(), fence, hold("later")))
	must(t, s.Close())
}

func reformat(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), []byte{0, 0, 0, 0, 0, 0, 0, 9})
	}))
	must(t, db.Close())
}

// A backup takes the place of what it knows at least as much as; of anything
// else only by force; and what was there is kept, to the byte.
func TestRestore(t *testing.T) {
	cases := map[string]struct {
		spoil func(t *testing.T, path string)
		force bool
		want  error
		aside bool
	}{
		"nothing there":           {spoil: func(t *testing.T, path string) { must(t, os.Remove(path)) }},
		"the same":                {spoil: func(*testing.T, string) {}, aside: true},
		"more there":              {spoil: further, want: bolt.ErrOlder},
		"more there, by force":    {spoil: further, force: true, aside: true},
		"newer version":           {spoil: reformat, want: bolt.ErrNewer},
		"newer version, by force": {spoil: reformat, force: true, aside: true},
		"cut short":               {spoil: func(t *testing.T, path string) { must(t, os.Truncate(path, 9000)) }, aside: true},
		"empty":                   {spoil: func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, aside: true},
		"no journal at all":       {spoil: func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("text"), 0o600)) }, aside: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path, recs := filled(t)
			backup := backedUp(t, path)
			c.spoil(t, path)
			before, _ := os.ReadFile(path) // there may be none
			done, err := bolt.Restore(t.Context(), path, backup, c.force)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if c.want != nil {
				after, err := os.ReadFile(path)
				must(t, err)
				if !bytes.Equal(before, after) {
					t.Error("refused, and what was there changed")
				}
				return
			}
			got, err := whole(t, path)
			must(t, err)
			if diff := cmp.Diff(recs, got); diff != "" {
				t.Errorf("after restoring (-want +got):\n%s", diff)
			}
			if c.aside != (done.Aside != "") {
				t.Fatalf("kept beside: %q", done.Aside)
			}
			if kept, err := os.ReadFile(done.Aside); c.aside && (err != nil || !bytes.Equal(before, kept)) {
				t.Errorf("what was there is not kept: %v", err)
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".journal-*"))
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// What is no whole journal is never put in a place.
func TestRestoreRefusesBackups(t *testing.T) {
	path, recs := filled(t)
	damage := map[string]func(t *testing.T, backup string){
		"cut short": func(t *testing.T, backup string) { must(t, os.Truncate(backup, 9000)) },
		"empty":     func(t *testing.T, backup string) { must(t, os.Truncate(backup, 0)) },
		"newer":     reformat,
	}
	for name, spoil := range damage {
		backup := backedUp(t, path)
		spoil(t, backup)
		_, err := bolt.Restore(t.Context(), path, backup, true)
		if !errors.Is(err, journal.ErrCorrupt) && !errors.Is(err, bolt.ErrNewer) {
			t.Errorf("%s: %v, want it refused", name, err)
		} else if text := err.Error(); strings.Contains(text, ".journal-") || !strings.Contains(text, backup) {
			t.Errorf("%s: told of another file than the one that was named: %s", name, text)
		}
	}
	if _, err := bolt.Restore(t.Context(), path, path+".none", true); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no backup: %v", err)
	}
	held, err := bolt.Existing(path)
	must(t, err)
	backup := filepath.Join(t.TempDir(), "backup.db")
	_, err = bolt.Keep(t.Context(), backup, func(w io.Writer) error { _, err := held.WriteTo(w); return err })
	must(t, err)
	if _, err := bolt.Restore(t.Context(), path, backup, true); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("under a daemon: %v, want ErrLocked", err)
	}
	if _, err := bolt.Keep(t.Context(), backup, func(io.Writer) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a backup: %v, want ErrExist", err)
	}
	must(t, held.Close())
	got, err := whole(t, path)
	must(t, err)
	if diff := cmp.Diff(recs, got); diff != "" {
		t.Errorf("refusals changed the journal (-want +got):\n%s", diff)
	}
}

func exported(t *testing.T, path string) string {
	t.Helper()
	s, err := bolt.Existing(path)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	var out strings.Builder
	must(t, s.Export(t.Context(), &out))
	return out.String()
}

// folded is the state a journal comes to.
func folded(t *testing.T, path string) journal.State {
	t.Helper()
	s, err := bolt.Existing(path)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	state, err := journal.Load(t.Context(), s)
	must(t, err)
	return state
}

// An export, imported, is the same journal: records, fold, fence and snapshot;
// so is one whose first records are folded away.
func TestExportImport(t *testing.T) {
	path, _ := filled(t)
	state := folded(t, path)
	s, err := bolt.Existing(path)
	must(t, err)
	must(t, s.Compact(state))
	must(t, s.Close())
	further(t, path)
	text := exported(t, path)
	copied := filepath.Join(t.TempDir(), "state", "journal.db")
	sum, err := bolt.Import(t.Context(), copied, strings.NewReader(text))
	must(t, err)
	if sum.Last != state.Seq+2 || sum.Through != state.Seq {
		t.Errorf("imported %+v, want the end at %d", sum, state.Seq+2)
	}
	if diff := cmp.Diff(folded(t, path), folded(t, copied)); diff != "" {
		t.Errorf("the fold differs (-want +got):\n%s", diff)
	}
	if again := exported(t, copied); again != text {
		t.Error("the export of an import differs")
	}
	if _, err := bolt.Import(t.Context(), copied, strings.NewReader(text)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a journal: %v, want ErrExist", err)
	}
	further(t, copied) // its fence goes on
}

// Every line that is missing, doubled, changed or cut is seen, and leaves no
// journal.
func TestImportRefuses(t *testing.T) {
	path, _ := filled(t)
	lines := strings.SplitAfter(strings.TrimSuffix(exported(t, path), "\n"), "\n")
	bad := map[string]string{
		"":              "",
		"text":          "not an export\n",
		"no foot":       strings.Join(lines[:len(lines)-1], ""),
		"newer":         strings.Replace(strings.Join(lines, ""), `"mooring_journal":1`, `"mooring_journal":2`, 1) + "\n",
		"unknown field": strings.Replace(strings.Join(lines, ""), `"env":`, `"enw":`, 1) + "\n",
		"other name":    strings.Replace(strings.Join(lines, ""), "production", "productive", 1) + "\n",
	}
	for i := 1; i < len(lines)-1; i += 7 {
		bad["without line "+lines[i][:12]] = strings.Join(append(append([]string{}, lines[:i]...), lines[i+1:]...), "") + "\n"
		bad["twice line "+lines[i][:12]] = strings.Join(append(append(append([]string{}, lines[:i]...), lines[i], lines[i]), lines[i+1:]...), "") + "\n"
	}
	for name, text := range bad {
		to := filepath.Join(t.TempDir(), "journal.db")
		_, err := bolt.Import(t.Context(), to, strings.NewReader(text))
		if !errors.Is(err, journal.ErrCorrupt) && !errors.Is(err, bolt.ErrNewer) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a journal is there: %v", name, err)
		}
	}
}
