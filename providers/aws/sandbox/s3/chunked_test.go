package s3

import (
	"net/http"
	"strings"
	"testing"
)

func chunkedRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, "/bucket/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "gzip,aws-chunked")
	r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
	return r
}

func TestChunksAreJoinedAndTrailersKept(t *testing.T) {
	r := chunkedRequest(t)
	body := "5\r\nhello\r\n6;chunk-signature=0123\r\n world\r\n0\r\nx-amz-checksum-crc32:sOO8/Q==\r\n\r\n"
	got, err := decodeBody(r, []byte(body))
	if err != nil || string(got) != "hello world" {
		t.Errorf("%q, %v", got, err)
	}
	if r.Header.Get("X-Amz-Checksum-Crc32") != "sOO8/Q==" || r.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("headers: %v", r.Header)
	}
}

func TestChunksCutShortAreRefused(t *testing.T) {
	for _, body := range []string{"", "5\r\nhel", "zz\r\nhello\r\n0\r\n", "5\r\nhello\r\n", "-1\r\n"} {
		if got, err := decodeBody(chunkedRequest(t), []byte(body)); err == nil {
			t.Errorf("%q was read as %q", body, got)
		}
	}
}

func TestBodiesWithoutChunksStay(t *testing.T) {
	r, err := http.NewRequest(http.MethodPut, "/bucket/key", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeBody(r, []byte("5\r\nhello")); err != nil || string(got) != "5\r\nhello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestBucketsInHostsAndPaths(t *testing.T) {
	for target, want := range map[string]string{
		"http://127.0.0.1:1/bucket/a/b":                 "bucket a/b",
		"http://bucket.localhost:1/a/b":                 "bucket a/b",
		"http://my.bucket.s3.eu-west-1.amazonaws.com/a": "my.bucket a",
		"http://s3.eu-west-1.amazonaws.com/bucket/a":    "bucket a",
		"http://s3.localhost:1/bucket/a":                "bucket a",
		"http://127.0.0.1:1/":                           " ",
	} {
		r, err := http.NewRequest(http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		bucket, key := address(r)
		if got := bucket + " " + key; got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		r, err := http.NewRequest(http.MethodPut, "/bucket/key", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Encoding", "aws-chunked")
		if out, err := decodeBody(r, []byte(body)); err == nil && len(out) > len(body) {
			t.Errorf("%q grew to %q", body, strings.ToValidUTF8(string(out), "?"))
		}
	})
}
