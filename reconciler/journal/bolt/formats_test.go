package bolt_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
)

// renamed is a step that calls every environment of records otherwise, so that
// all of them are written anew.
func renamed(tx *bbolt.Tx) error {
	records := tx.Bucket([]byte("records"))
	return records.ForEach(func(key, value []byte) error {
		data := bytes.ReplaceAll(value[4:], []byte(`"env":"production"`), []byte(`"env":"prod"`))
		sum := crc32.Update(crc32.Checksum(key, crc32.MakeTable(crc32.Castagnoli)), crc32.MakeTable(crc32.Castagnoli), data)
		return records.Put(key, append(binary.BigEndian.AppendUint32(nil, sum), data...))
	})
}

// prod is what records are once renamed.
func prod(recs []journal.Record) []journal.Record {
	out := append([]journal.Record(nil), recs...)
	for i := range out {
		if out[i].Environment == "production" {
			out[i].Environment = "prod"
		}
	}
	return out
}

func bytesOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

// listed is what lies in a folder, by name.
func listed(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestLesson52UpgradeAndBack: a later version takes the journal to its format,
// with every record, and keeps what was; the version before refuses it with
// what to do, changes nothing, and reads what was kept.
func TestLesson52UpgradeAndBack(t *testing.T) {
	path, recs := filled(t)
	later := bolt.NewLater(renamed)
	s, err := later.Open(path)
	must(t, err)
	up := s.Upgraded()
	if up == nil || up.From != bolt.Current() || up.To != bolt.Current()+1 || len(up.What) != 1 {
		t.Fatalf("upgraded: %+v", up)
	}
	if diff := cmp.Diff(prod(recs), read(t, s)); diff != "" {
		t.Errorf("after the upgrade (-want +got):\n%s", diff)
	}
	fence, err := s.Acquire(t.Context(), "later")
	must(t, err)
	must(t, s.Append(t.Context(), fence, hold("by the later version")))
	must(t, s.Close())
	s, err = later.Open(path)
	must(t, err)
	if s.Upgraded() != nil || len(read(t, s)) != len(recs)+2 {
		t.Errorf("opened again: upgraded %+v, %d records", s.Upgraded(), len(read(t, s)))
	}
	must(t, s.Close())

	newer := bytesOf(t, path)
	for name, open := range map[string]func(string) (*bolt.Store, error){"open": bolt.Open, "look": bolt.Existing} {
		if _, err := open(path); !errors.Is(err, bolt.ErrNewer) || !strings.Contains(err.Error(), up.Kept) {
			t.Errorf("%s by the version before: %v, want it refused with %s", name, err, up.Kept)
		}
	}
	if !bytes.Equal(newer, bytesOf(t, path)) {
		t.Error("a refusal changed the journal")
	}
	if diff := cmp.Diff(recs, mustWhole(t, up.Kept)); diff != "" {
		t.Errorf("what was kept is not what was (-want +got):\n%s", diff)
	}
	_, err = bolt.Restore(t.Context(), path, up.Kept, true)
	must(t, err)
	if diff := cmp.Diff(recs, mustWhole(t, path)); diff != "" {
		t.Errorf("back at the version before (-want +got):\n%s", diff)
	}
}

func mustWhole(t *testing.T, path string) []journal.Record {
	t.Helper()
	recs, err := whole(t, path)
	must(t, err)
	return recs
}

// TestLesson52AnUpgradeThatFails leaves the journal as it was, and is tried
// again; the copy is kept once.
func TestLesson52AnUpgradeThatFails(t *testing.T) {
	path, recs := filled(t)
	before := bytesOf(t, path)
	fault := errors.New("half way")
	for range 2 {
		_, err := bolt.NewLater(func(tx *bbolt.Tx) error { return errors.Join(renamed(tx), fault) }).Open(path)
		if !errors.Is(err, fault) {
			t.Fatalf("%v, want why it failed", err)
		}
	}
	if diff := cmp.Diff(recs, mustWhole(t, path)); diff != "" || len(bytesOf(t, path)) != len(before) {
		t.Errorf("after it failed (-want +got):\n%s", diff)
	}
	s, err := bolt.NewLater(renamed).Open(path)
	must(t, err)
	must(t, s.Close())
	if got := listed(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("beside it lie %v, want one copy", got)
	}
}

// TestLesson52LookingUpgradesNothing: a backup of an older format is looked at,
// checked and exported as it is.
func TestLesson52LookingUpgradesNothing(t *testing.T) {
	path, recs := filled(t)
	before := bytesOf(t, path)
	later := bolt.NewLater(renamed)
	s, err := later.Existing(path)
	must(t, err)
	sum, err := s.Check(t.Context())
	if err != nil || sum.Format != bolt.Current() || sum.Last != recs[len(recs)-1].Seq {
		t.Errorf("checked: %+v, %v", sum, err)
	}
	if diff := cmp.Diff(prod(recs), read(t, s)); diff != "" {
		t.Errorf("looked at (-want +got):\n%s", diff)
	}
	var backup bytes.Buffer
	_, err = s.WriteTo(&backup)
	must(t, err)
	if _, err := later.Existing(path); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("while it is looked at: %v, want ErrLocked", err)
	}
	must(t, s.Close())
	if !bytes.Equal(before, bytesOf(t, path)) || len(listed(t, filepath.Dir(path))) != 1 {
		t.Errorf("looking changed something: %v", listed(t, filepath.Dir(path)))
	}
	copied := filepath.Join(t.TempDir(), "backup.db")
	must(t, os.WriteFile(copied, backup.Bytes(), 0o600))
	if diff := cmp.Diff(recs, mustWhole(t, copied)); diff != "" {
		t.Errorf("a backup by a later version is of another format (-want +got):\n%s", diff)
	}
}

// TestLesson52AnOlderExport is imported by a later version as it stands, and
// taken to its format when that is opened.
func TestLesson52AnOlderExport(t *testing.T) {
	path, recs := filled(t)
	text := exported(t, path)
	later := bolt.NewLater(renamed)
	to := filepath.Join(t.TempDir(), "journal.db")
	sum, err := later.Import(t.Context(), to, strings.NewReader(text))
	if err != nil || sum.Format != bolt.Current() || sum.Last != recs[len(recs)-1].Seq {
		t.Fatalf("imported: %+v, %v", sum, err)
	}
	s, err := later.Open(to)
	must(t, err)
	if diff := cmp.Diff(prod(recs), read(t, s)); diff != "" || s.Upgraded() == nil {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	must(t, s.Close())
	changed := strings.Replace(text, "production", "productivo", 1)
	if _, err := later.Import(t.Context(), to+".3", strings.NewReader(changed)); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("an export that was changed: %v, want ErrCorrupt", err)
	}
}

// same wants every member of every line that there was; members may be added.
func same(t *testing.T, format uint64, want, got []string) {
	t.Helper()
	if len(want) != len(got) || len(want) < 100 {
		t.Fatalf("format %d: %d lines, want %d", format, len(got), len(want))
	}
	for i := range want[:len(want)-2] { // the last has the digest of all
		var was, is any
		must(t, errors.Join(json.Unmarshal([]byte(want[i]), &was), json.Unmarshal([]byte(got[i]), &is)))
		if at := lost(was, is, ""); at != "" {
			t.Errorf("format %d, line %d: %s reads otherwise; what changes it needs a format of its own", format, i+1, at)
		}
	}
}

// lost is where something that was is no more; "": nowhere.
func lost(was, is any, at string) string {
	switch was := was.(type) {
	case map[string]any:
		now, _ := is.(map[string]any)
		for key, value := range was {
			if where := lost(value, now[key], at+"."+key); where != "" {
				return where
			}
		}
		return ""
	case []any:
		now, _ := is.([]any)
		if len(now) != len(was) {
			return at
		}
		for i := range was {
			if where := lost(was[i], now[i], fmt.Sprintf("%s[%d]", at, i)); where != "" {
				return where
			}
		}
		return ""
	}
	if was != is {
		return at
	}
	return ""
}

// TestLesson52EveryFormatThereWas: a journal of each format that a released
// version wrote is read by this one. They are never written anew.
func TestLesson52EveryFormatThereWas(t *testing.T) {
	for format := uint64(1); format <= bolt.Current(); format++ {
		name := filepath.Join("testdata", fmt.Sprintf("format-%d", format))
		path := filepath.Join(t.TempDir(), "journal.db")
		must(t, os.WriteFile(path, bytesOf(t, name+".db"), 0o600))
		s, err := bolt.Open(path)
		must(t, err)
		if (s.Upgraded() != nil) != (format < bolt.Current()) {
			t.Errorf("format %d: upgraded %+v", format, s.Upgraded())
		}
		if format == bolt.Current() {
			var out strings.Builder
			must(t, s.Export(t.Context(), &out))
			same(t, format, strings.Split(string(bytesOf(t, name+".jsonl")), "\n"), strings.Split(out.String(), "\n"))
		}
		state, err := journal.Load(t.Context(), s)
		if err != nil || len(state.Environments) == 0 {
			t.Errorf("format %d: %d environments, %v", format, len(state.Environments), err)
		}
		must(t, s.Close())
	}
}
