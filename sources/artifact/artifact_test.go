package artifact

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/goleak"

	"mooring.dev/sources/manifest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zipped is a zip file with the given files.
func zipped(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, content := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// bucket is an S3 in a map.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	reads   int
}

func (b *bucket) Get(_ context.Context, name, key, version string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	content, found := b.objects[name+"/"+key+"@"+version]
	if !found {
		return nil, ErrMissing
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func store(t *testing.T, o Options) *Store {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = filepath.Join(t.TempDir(), "cache")
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFetchReadsOnceAndVerifiesAgain(t *testing.T) {
	code := zipped(t, map[string]string{"bootstrap": "x"})
	b := &bucket{objects: map[string][]byte{"shop/deep/checkout.zip@7": code}}
	s := store(t, Options{S3: b})
	a := manifest.Artifact{URI: "s3://shop/deep/checkout.zip", Version: "7", Digest: digest(code)}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := s.Fetch(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	blob, err := s.Fetch(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if b.reads != 1 || blob.Size != int64(len(code)) || blob.Digest != a.Digest {
		t.Errorf("%d reads, blob %+v", b.reads, blob)
	}
	// A damaged cache is not believed.
	if err := os.Chmod(blob.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob.Path, []byte("PK\x03\x04 something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if blob, err = s.Fetch(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(blob.Path); err != nil || !bytes.Equal(got, code) || b.reads != 2 {
		t.Errorf("after damage: %d reads, %v", b.reads, err)
	}
}

func TestCacheIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	code := zipped(t, nil)
	s := store(t, Options{CacheDir: dir, S3: &bucket{objects: map[string][]byte{"b/k@": code}}})
	if _, err := s.Fetch(t.Context(), manifest.Artifact{URI: "s3://b/k", Digest: digest(code)}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	code := zipped(t, map[string]string{"x": strings.Repeat("y", 100)})
	pointer := []byte("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n")
	plain := []byte("#!/bin/sh\n")
	big := append([]byte("PK\x03\x04"), make([]byte, 4096)...)
	s := store(t, Options{MaxSize: 1024, S3: &bucket{objects: map[string][]byte{
		"b/code@": code, "b/pointer@": pointer, "b/plain@": plain, "b/big@": big,
	}}})
	other := digest([]byte("other"))
	for name, test := range map[string]struct {
		artifact manifest.Artifact
		want     error
	}{
		"missing":      {manifest.Artifact{URI: "s3://b/none", Digest: other}, ErrMissing},
		"mismatch":     {manifest.Artifact{URI: "s3://b/code", Digest: other}, ErrMismatch},
		"LFS pointer":  {manifest.Artifact{URI: "s3://b/pointer", Digest: other}, ErrUnusable},
		"no zip":       {manifest.Artifact{URI: "s3://b/plain", Digest: digest(plain)}, ErrUnusable},
		"too large":    {manifest.Artifact{URI: "s3://b/big", Digest: digest(big)}, ErrTooLarge},
		"no digest":    {manifest.Artifact{URI: "s3://b/code"}, ErrUnusable},
		"short digest": {manifest.Artifact{URI: "s3://b/code", Digest: "sha256:abcd"}, ErrUnusable},
		"upper digest": {manifest.Artifact{URI: "s3://b/code", Digest: strings.ToUpper(digest(code))}, ErrUnusable},
		"image":        {manifest.Artifact{Image: "repo/app", Digest: other}, ErrUnusable},
		"no scheme":    {manifest.Artifact{URI: "checkout.zip", Digest: other}, ErrUnusable},
		"https":        {manifest.Artifact{URI: "https://example.com/x.zip", Digest: other}, ErrUnusable},
		"no key":       {manifest.Artifact{URI: "s3://b", Digest: other}, ErrUnusable},
		"file":         {manifest.Artifact{URI: "file:x.zip", Digest: other}, ErrUnusable},
	} {
		blob, err := s.Fetch(t.Context(), test.artifact)
		if !errors.Is(err, test.want) || blob != (Blob{}) {
			t.Errorf("%s: %+v, %v, want %v", name, blob, err, test.want)
		}
	}
	// Nothing refused stays behind.
	left, err := os.ReadDir(s.cache.dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left in the cache: %v, %v", left, err)
	}
	_, err = s.Fetch(t.Context(), manifest.Artifact{URI: "s3://b/code", Digest: other})
	if text := err.Error(); !strings.Contains(text, other) || !strings.Contains(text, digest(code)) {
		t.Errorf("a mismatch names both digests: %v", err)
	}
}

func TestFilesOnlyBelowTheFolder(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "artifacts")
	code := zipped(t, map[string]string{"bootstrap": "x"})
	for path, content := range map[string][]byte{"artifacts/dist/a.zip": code, "outside.zip": code} {
		path = filepath.Join(top, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"escape.zip": "../outside.zip", "absolute.zip": filepath.Join(top, "outside.zip"), "up": "..", "inside.zip": "dist/a.zip",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}

	for uri, want := range map[string]error{
		"file:dist/a.zip": nil, "file:./dist/a.zip": nil, "file:inside.zip": nil,
		"file:none.zip": ErrMissing, "file:dist": ErrUnusable, "file:": ErrUnusable,
		"file:../outside.zip": ErrUnusable, "file:dist/../../outside.zip": ErrUnusable,
		"file:escape.zip": ErrUnusable, "file:absolute.zip": ErrUnusable, "file:up/outside.zip": ErrUnusable,
		"file:" + filepath.Join(top, "outside.zip"): ErrUnusable, "file:///etc/passwd": ErrUnusable, `file:..\outside.zip`: ErrUnusable,
	} {
		// A fresh store for each: a cached blob would hide the refusal.
		s := store(t, Options{Root: root})
		if _, err := s.Fetch(t.Context(), manifest.Artifact{URI: uri, Digest: digest(code)}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", uri, err, want)
		}
	}
}

func TestCacheForgetsTheOldest(t *testing.T) {
	now := time.Now()
	b := &bucket{objects: map[string][]byte{}}
	var all []manifest.Artifact
	for i := range 4 {
		code := zipped(t, map[string]string{"bootstrap": strings.Repeat("x", i)})
		key := string(rune('a' + i))
		b.objects["b/"+key+"@"] = code
		all = append(all, manifest.Artifact{URI: "s3://b/" + key, Digest: digest(code)})
	}
	s := store(t, Options{S3: b, MaxCache: 300, Now: func() time.Time { return now }})
	paths := map[int]string{}
	for i, a := range all[:3] {
		blob, err := s.Fetch(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = blob.Path
	}
	now = now.Add(2 * time.Hour)
	if _, err := s.Fetch(t.Context(), all[0]); err != nil { // used again
		t.Fatal(err)
	}
	if _, err := s.Fetch(t.Context(), all[3]); err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]bool{0: true, 1: false} {
		if _, err := os.Stat(paths[i]); (err == nil) != want {
			t.Errorf("artifact %d is there: %v, want %v", i, err == nil, want)
		}
	}
}

func TestContract(t *testing.T) {
	fetched := func(code []byte) Blob {
		s := store(t, Options{S3: &bucket{objects: map[string][]byte{"b/k@": code}}})
		blob, err := s.Fetch(t.Context(), manifest.Artifact{URI: "s3://b/k", Digest: digest(code)})
		if err != nil {
			t.Fatal(err)
		}
		return blob
	}
	got, found, err := Contract(fetched(zipped(t, map[string]string{"bootstrap": "x", ContractName: "queues: [orders]\n"})))
	if err != nil || !found || string(got) != "queues: [orders]\n" {
		t.Errorf("got %q, %v, %v", got, found, err)
	}
	_, found, err = Contract(fetched(zipped(t, map[string]string{"bootstrap": "x", "sub/" + ContractName: "no"})))
	if err != nil || found {
		t.Errorf("without: %v, %v", found, err)
	}
	_, _, err = Contract(fetched(zipped(t, map[string]string{ContractName: strings.Repeat("a", 10*maxContract)})))
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("a bomb: %v", err)
	}
	_, _, err = Contract(fetched([]byte("PK\x03\x04 and no directory")))
	if !errors.Is(err, ErrUnusable) {
		t.Errorf("broken: %v", err)
	}
	many := map[string]string{}
	for i := range 3000 {
		many[strings.Repeat("n", 3000)+string(rune('a'+i%26))+hex.EncodeToString([]byte{byte(i >> 8), byte(i)})] = ""
	}
	if _, _, err = Contract(fetched(zipped(t, many))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge list of files: %v", err)
	}
}

func TestContractTwiceIsRefused(t *testing.T) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for range 2 {
		if _, err := w.Create(ContractName); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readContract(bytes.NewReader(out.Bytes()), int64(out.Len())); !errors.Is(err, ErrUnusable) {
		t.Errorf("got %v", err)
	}
}

func FuzzContract(f *testing.F) {
	f.Add(zipped(f, map[string]string{ContractName: "a: b"}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, found, err := readContract(bytes.NewReader(raw), int64(len(raw)))
		if len(got) > maxContract || err != nil && found {
			t.Errorf("%d bytes, %v, %v", len(got), found, err)
		}
	})
}

func TestS3(t *testing.T) {
	code := zipped(t, map[string]string{"bootstrap": "x"})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/shop/checkout.zip" && r.URL.Query().Get("versionId") == "v1":
			_, _ = w.Write(code)
		case r.URL.Path == "/shop/denied.zip":
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<Error><Code>NoSuchKey</Code><Message>no</Message></Error>`)
		}
	}))
	defer server.Close()
	transport := &http.Transport{DisableKeepAlives: true}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(server.URL), Region: "eu-west-1", UsePathStyle: true,
		HTTPClient: &http.Client{Transport: transport}, Credentials: aws.AnonymousCredentials{},
		Retryer: aws.NopRetryer{},
	})
	s := store(t, Options{S3: S3{client}})
	if _, err := s.Fetch(t.Context(), manifest.Artifact{URI: "s3://shop/checkout.zip", Version: "v1", Digest: digest(code)}); err != nil {
		t.Error(err)
	}
	_, err := s.Fetch(t.Context(), manifest.Artifact{URI: "s3://shop/none.zip", Digest: digest(nil)})
	if !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	_, err = s.Fetch(t.Context(), manifest.Artifact{URI: "s3://shop/denied.zip", Digest: digest(nil)})
	var answer interface{ ErrorCode() string }
	if errors.Is(err, ErrMissing) || !errors.As(err, &answer) || answer.ErrorCode() != "AccessDenied" {
		t.Errorf("denied: %v", err)
	}
}
