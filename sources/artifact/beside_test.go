package artifact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mooring.dev/sources/manifest"
)

// answers is an S3 that gives what a test says, by key.
type answers map[string]error

func (a answers) Get(_ context.Context, _, key, _ string) (io.ReadCloser, error) {
	if err := a[key]; err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader([]byte("of " + key))), nil
}

// What is known of statements beside an object, by what S3 answers: a refusal
// means that there are none where the object itself may be read.
func TestBesideAnObject(t *testing.T) {
	outage := errors.New("503")
	for name, c := range map[string]struct {
		s3      answers
		want    string
		unknown error
	}{
		"there":                           {answers{}, "of deep/a.zip.intoto.jsonl", nil},
		"not there":                       {answers{"deep/a.zip.intoto.jsonl": ErrMissing}, "", nil},
		"not there, and not listed":       {answers{"deep/a.zip.intoto.jsonl": ErrDenied}, "", nil},
		"no right to anything":            {answers{"deep/a.zip.intoto.jsonl": ErrDenied, "deep/a.zip": ErrDenied}, "", ErrDenied},
		"refused, and the object is gone": {answers{"deep/a.zip.intoto.jsonl": ErrDenied, "deep/a.zip": ErrMissing}, "", ErrDenied},
		"an outage":                       {answers{"deep/a.zip.intoto.jsonl": outage}, "", outage},
	} {
		got, err := store(t, Options{S3: c.s3}).Beside(t.Context(), manifest.Artifact{URI: "s3://shop/deep/a.zip", Version: "7"})
		if string(got) != c.want || !errors.Is(err, c.unknown) || (err == nil) != (c.unknown == nil) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestBesideAFile(t *testing.T) {
	root := t.TempDir()
	write := func(name string, size int) {
		if err := os.WriteFile(filepath.Join(root, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.zip.intoto.jsonl", MaxBeside)
	write("b.zip.intoto.jsonl", MaxBeside+1)
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "c.zip.intoto.jsonl")); err != nil {
		t.Fatal(err)
	}
	s := store(t, Options{Root: root})
	for uri, c := range map[string]struct {
		size    int
		unknown error
	}{
		"file:a.zip": {MaxBeside, nil}, "file:./a.zip?x=1": {MaxBeside, nil}, "file:none.zip": {0, nil}, "": {0, nil},
		"file:b.zip": {0, ErrTooLarge}, "file:c.zip": {0, ErrUnusable}, "file:../a.zip": {0, ErrUnusable}, "ftp://a": {0, ErrUnusable},
	} {
		got, err := s.Beside(t.Context(), manifest.Artifact{URI: uri})
		if len(got) != c.size || !errors.Is(err, c.unknown) || (err == nil) != (c.unknown == nil) {
			t.Errorf("%s: %d bytes, %v", uri, len(got), err)
		}
	}
	if got, err := s.Beside(t.Context(), manifest.Artifact{Image: "111111111111.dkr.ecr.eu-west-1.amazonaws.com/a@sha256:0"}); got != nil || err != nil {
		t.Errorf("of an image: %q, %v", got, err)
	}
}

// What S3 says about an object that is not there, to those who may list the
// bucket and to others.
func TestS3RefusalsAreNamed(t *testing.T) {
	for code, want := range map[string]error{"NoSuchKey": ErrMissing, "AccessDenied": ErrDenied} {
		if err := named(apiError(code)); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if err := named(apiError("SlowDown")); errors.Is(err, ErrMissing) || errors.Is(err, ErrDenied) {
		t.Errorf("a throttled read is named %v", err)
	}
}

// apiError is an answer of S3 with this code.
type apiError string

func (e apiError) Error() string     { return fmt.Sprintf("api error %s", string(e)) }
func (e apiError) ErrorCode() string { return string(e) }
