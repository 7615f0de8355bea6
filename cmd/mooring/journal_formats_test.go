package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// journalFaults are journals that the program must not go on with, with what
// it says to do.
func journalFaults(t *testing.T) map[string]struct {
	spoil func(path string) error
	want  string
} {
	flip := func(at int64) func(string) error {
		return func(path string) error {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			_, err = file.WriteAt([]byte{0xA5}, at)
			return errors.Join(err, file.Close())
		}
	}
	format := func(n uint64) func(string) error {
		return func(path string) error {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				return err
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, n))
			})
			return errors.Join(err, db.Close())
		}
	}
	beside := func(path string) error {
		return errors.Join(os.WriteFile(path+".format-1", nil, 0o600), format(2)(path))
	}
	t.Helper()
	return map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"lesson 43: flipped in the head": {flip(24), "put a backup"},
		"lesson 43: cut short":           {func(path string) error { return os.Truncate(path, 9000) }, "put a backup"},
		"lesson 43: empty":               {func(path string) error { return os.Truncate(path, 0) }, "put a backup"},
		"lesson 43: something else":      {func(path string) error { return os.WriteFile(path, []byte("no journal"), 0o600) }, "put a backup"},
		"lesson 52: newer":               {format(9), "run the newer version"},
		"lesson 52: newer, and upgraded": {beside, "journal restore"},
		"lesson 52: of no version":       {format(0), "put a backup"},
	}
}

// TestLesson43And52TheProgramRefuses journals that are damaged or of another
// version: exit code 1, what to do, and not a byte is changed.
func TestLesson43And52TheProgramRefuses(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(moduleRoot(t), "reconciler", "journal", "bolt", "testdata", "format-1.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range journalFaults(t) {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			path := filepath.Join(state, "journal.db")
			if err := errors.Join(os.WriteFile(path, data, 0o600), c.spoil(path)); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []string{"run --once --path " + t.TempDir(), "journal check", "journal export " + path} {
				args := strings.Fields(line)
				if args[0] == "run" || args[1] == "check" {
					args = append(args, "--state", state)
				}
				out, err := exec.CommandContext(t.Context(), "mooring", args...).CombinedOutput()
				var code *exec.ExitError
				if !errors.As(err, &code) || code.ExitCode() != exitError || !strings.Contains(string(out), c.want) || !strings.Contains(string(out), path) {
					t.Errorf("mooring %s: %v, want code 1 and %q\n%s", line, err, c.want, out)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the journal was changed: %v", err)
			}
		})
	}
}
