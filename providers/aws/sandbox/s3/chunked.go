package s3

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// decodeBody takes the aws-chunked encoding off a body. Checksums that follow
// as trailers become headers of the request; they are kept and not verified.
func decodeBody(r *http.Request, body []byte) ([]byte, error) {
	encodings := strings.Split(r.Header.Get("Content-Encoding"), ",")
	chunked := strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
	kept := encodings[:0]
	for _, e := range encodings {
		switch e = strings.TrimSpace(e); e {
		case "aws-chunked":
			chunked = true
		case "":
		default:
			kept = append(kept, e)
		}
	}
	if !chunked {
		return body, nil
	}
	r.Header.Del("Content-Encoding")
	if len(kept) > 0 {
		r.Header.Set("Content-Encoding", strings.Join(kept, ","))
	}
	return unchunk(r, body)
}

func unchunk(r *http.Request, body []byte) ([]byte, error) {
	bad := fail(400, "IncompleteBody", "The request body terminated unexpectedly")
	in := bufio.NewReader(bytes.NewReader(body))
	var out bytes.Buffer
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, bad
		}
		size, _, _ := strings.Cut(strings.TrimSpace(line), ";") // a chunk's signature follows
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil || n < 0 {
			return nil, bad
		}
		if n == 0 {
			return out.Bytes(), trailers(r, in)
		}
		if _, err := io.CopyN(&out, in, n); err != nil {
			return nil, bad
		}
		if _, err := in.Discard(2); err != nil {
			return nil, bad
		}
	}
}

func trailers(r *http.Request, in *bufio.Reader) error {
	for {
		line, err := in.ReadString('\n')
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			r.Header.Set(name, strings.TrimSpace(value))
		}
		if err != nil { // the end
			return nil
		}
	}
}
