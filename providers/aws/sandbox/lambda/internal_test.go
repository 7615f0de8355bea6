package lambda

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mooring.dev/providers/aws/sandbox/wire"
)

// archive writes a zip of symlinks (content is where they lead) and files.
func archive(t *testing.T, entries map[string]string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "code.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, content := range entries {
		h := &zip.FileHeader{Name: name}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnzipRefusesLinksThatLeadOut(t *testing.T) {
	for _, target := range []string{"/etc/passwd", "../outside", "a/../../outside"} {
		if err := unzip(archive(t, map[string]string{"link": target}, os.ModeSymlink|0o777), filepath.Join(t.TempDir(), "code")); err == nil {
			t.Errorf("a link to %s was made", target)
		}
	}
	dir := filepath.Join(t.TempDir(), "code")
	if err := unzip(archive(t, map[string]string{"bin/link": "../lib/x"}, os.ModeSymlink|0o777), dir); err != nil {
		t.Errorf("a link inside: %v", err)
	}
	if target, err := os.Readlink(filepath.Join(dir, "bin/link")); target != "../lib/x" {
		t.Errorf("%s %v", target, err)
	}
}

func TestUnzipKeepsTheExecutableBitAndMakesFilesReadable(t *testing.T) {
	for given, want := range map[os.FileMode]os.FileMode{0o755: 0o755, 0o600: 0o644, 0: 0o644} {
		dir := filepath.Join(t.TempDir(), "code")
		if err := unzip(archive(t, map[string]string{"a/b": "x"}, given), dir); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "a/b"))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode %o became %v, want %o (%v)", given, info.Mode(), want, err)
		}
	}
}

func TestAZipThatUnpacksTooLargeIsRefusedByItsHeaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "code.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "big", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(nil), CompressedSize64: 1, UncompressedSize64: unzippedLimit + 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var refused *wire.Error
	if err := checkZip(content); !errors.As(err, &refused) || refused.Code != "InvalidParameterValueException" {
		t.Errorf("got %v", err)
	}
}

func TestFilterPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, event string
		want           bool
	}{
		{`{"a": ["x"]}`, `{"a": "x"}`, true},
		{`{"a": ["x", "y"]}`, `{"a": "y"}`, true},
		{`{"a": ["x"]}`, `{"a": "z"}`, false},
		{`{"a": ["x"]}`, `{}`, false},
		{`{"a": [null]}`, `{"a": null}`, true},
		{`{"a": [1]}`, `{"a": 1.0}`, true},
		{`{"a": ["x"]}`, `{"a": ["w", "x"]}`, true},
		{`{"a": {"b": ["x"]}}`, `{"a": {"b": "x"}}`, true},
		{`{"a": {"b": ["x"]}}`, `{"a": "x"}`, false},
		{`{"a": ["x"], "b": ["y"]}`, `{"a": "x"}`, false},
		{`{"$or": [{"a": ["x"]}, {"b": ["y"]}]}`, `{"b": "y"}`, true},
		{`{"$or": [{"a": ["x"]}, {"b": ["y"]}]}`, `{"b": "z"}`, false},
		{`{"a": [{"prefix": "or"}]}`, `{"a": "order"}`, true},
		{`{"a": [{"prefix": "or"}]}`, `{"a": 7}`, false},
		{`{"a": [{"suffix": "er"}]}`, `{"a": "order"}`, true},
		{`{"a": [{"equals-ignore-case": "ORDER"}]}`, `{"a": "order"}`, true},
		{`{"a": [{"anything-but": ["x", "y"]}]}`, `{"a": "z"}`, true},
		{`{"a": [{"anything-but": ["x", "y"]}]}`, `{"a": "y"}`, false},
		{`{"a": [{"anything-but": {"prefix": "x"}}]}`, `{"a": "xy"}`, false},
		{`{"a": [{"anything-but": "x"}]}`, `{}`, false},
		{`{"a": [{"exists": true}]}`, `{"a": 0}`, true},
		{`{"a": [{"exists": false}]}`, `{"a": 0}`, false},
		{`{"a": {"b": [{"exists": false}]}}`, `{}`, true},
		{`{"a": [{"numeric": ["=", 3]}]}`, `{"a": 3}`, true},
		{`{"a": [{"numeric": [">", 3, "<", 5]}]}`, `{"a": 5}`, false},
		{`{"a": [{"numeric": [">=", 3, "<=", 5]}]}`, `{"a": 5}`, true},
		{`{"a": [{"numeric": [">", 3]}]}`, `{"a": "4"}`, false},
	} {
		p, err := parseFilters(&filterCriteria{Filters: []struct{ Pattern string }{{c.pattern}}})
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		var event any
		if err := json.Unmarshal([]byte(c.event), &event); err != nil {
			t.Fatal(err)
		}
		if got := p[0].matches(event, true); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.event, got)
		}
	}
	for _, bad := range []string{``, `[]`, `{"a": "x"}`, `{"a": []}`, `{"a": [[1]]}`, `{"a": [{"cidr": "10.0.0.0/8"}]}`, `{"a": [{"prefix": 1}]}`,
		`{"a": [{"numeric": [">"]}]}`, `{"a": [{"numeric": ["~", 1]}]}`, `{"a": [{"prefix": "x", "suffix": "y"}]}`, `{"$or": ["x"]}`, `{"a": [{"exists": "yes"}]}`} {
		if _, err := parseFilters(&filterCriteria{Filters: []struct{ Pattern string }{{bad}}}); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestBatchFailures(t *testing.T) {
	batch := []Message{{ID: "a"}, {ID: "b"}}
	for payload, want := range map[string]struct {
		failed int
		whole  bool
	}{
		``:                            {0, false},
		`null`:                        {0, false},
		`{}`:                          {0, false},
		`{"batchItemFailures": null}`: {0, false},
		`{"batchItemFailures": []}`:   {0, false},
		`{"batchItemFailures": [{"itemIdentifier": "a"}]}`: {1, false},
		`{"batchItemFailures": [{"itemIdentifier": ""}]}`:  {0, true},
		`{"batchItemFailures": [{"item": "a"}]}`:           {0, true},
		`{"batchItemFailures": [{"itemIdentifier": "c"}]}`: {0, true},
		`"done"`: {0, true},
	} {
		failed, whole := failures([]byte(payload), batch)
		if len(failed) != want.failed && !want.whole || whole != want.whole {
			t.Errorf("%s: %v %v", payload, failed, whole)
		}
	}
}

func FuzzReference(f *testing.F) {
	for _, seed := range []string{"f", "f:live", "111122223333:f", "arn:aws:lambda:eu-west-1:111122223333:function:f:1", "a b", ":", "f:$LATEST"} {
		f.Add(seed)
	}
	s := &Service{opts: Options{Account: "111122223333", Region: "eu-west-1"}}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := s.parseReference(text, "")
		if err != nil {
			return
		}
		again, err := s.parseReference(s.qualifiedARN(ref.name, ref.qualifier), "")
		if err != nil || again != ref {
			t.Errorf("%q is %+v, whose ARN is %+v (%v)", text, ref, again, err)
		}
	})
}

func FuzzFilterPattern(f *testing.F) {
	f.Add(`{"a": [{"numeric": [">", 1]}], "$or": [{"b": ["c"]}]}`, `{"a": 2, "b": "c"}`)
	f.Fuzz(func(_ *testing.T, text, event string) {
		p, err := parseFilters(&filterCriteria{Filters: []struct{ Pattern string }{{text}}})
		var value any
		if err != nil || json.Unmarshal([]byte(event), &value) != nil {
			return
		}
		p[0].matches(value, true) // must not panic
	})
}
