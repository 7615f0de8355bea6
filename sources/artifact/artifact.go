// Package artifact brings the code of functions, by digest: from a folder, from
// S3, or from an OCI registry. What it hands out has been read to its end and held against the
// digest that was tested; everything else is an error.
//
// It refuses paths outside its folder (also through links), artifacts without
// a SHA-256 digest, what is larger than its limit, Git LFS pointers, and what
// is no zip file. It does not fetch container images: Lambda does.
package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mooring.dev/sources/manifest"
)

var (
	// ErrMissing: there is nothing at the artifact's address.
	ErrMissing = errors.New("artifact is missing")
	// ErrDenied: it may not be read, or is not there: S3 tells these apart only
	// to whoever may list the bucket.
	ErrDenied = errors.New("artifact may not be read")
	// ErrMismatch: what is there is not what was tested.
	ErrMismatch = errors.New("artifact has another digest")
	// ErrTooLarge: it is larger than Options allow.
	ErrTooLarge = errors.New("artifact is too large")
	// ErrUnusable: the manifest's address or the content cannot be a
	// function's code.
	ErrUnusable = errors.New("artifact is unusable")
)

// DefaultMaxSize is Lambda's own limit for a function's code, unpacked, in
// bytes: nothing larger can be deployed from a zip file.
const DefaultMaxSize = 250 << 20

// Getter reads objects. version "" is the newest. A missing object is
// ErrMissing.
type Getter interface {
	Get(ctx context.Context, bucket, key, version string) (io.ReadCloser, error)
}

// Registry reads blobs of OCI registries by their digest. address is what
// follows oci://. A missing blob is ErrMissing.
type Registry interface {
	Blob(ctx context.Context, address, digest string) (io.ReadCloser, error)
}

// Options say where artifacts come from. CacheDir is needed.
type Options struct {
	// Root is the folder below which file: artifacts lie; "" refuses them.
	Root string
	// CacheDir holds verified artifacts by digest. Stores may share it.
	CacheDir string
	// S3 reads s3: artifacts; nil refuses them.
	S3 Getter
	// OCI reads oci: artifacts; nil refuses them.
	OCI Registry
	// MaxSize of one artifact in bytes; DefaultMaxSize if zero.
	MaxSize int64
	// MaxCache is what the cache may hold in bytes, 5 GiB if zero. Blobs
	// used within the last hour are never dropped.
	MaxCache int64
	// Now is time.Now if nil.
	Now func() time.Time
}

// Blob is verified code on disk. It must not be written to.
type Blob struct {
	Path   string
	Digest string // sha256:…
	Size   int64  // bytes
}

// Store fetches artifacts. Its methods may be called at the same time.
type Store struct {
	options Options
	cache   cache
	locks   sync.Map // digest → *sync.Mutex: one download at a time
}

// New makes the cache folder, readable by nobody else.
func New(options Options) (*Store, error) {
	if options.CacheDir == "" {
		return nil, errors.New("artifact store: no CacheDir")
	}
	if options.MaxSize < 0 || options.MaxCache < 0 {
		return nil, errors.New("artifact store: a negative limit")
	}
	if options.MaxSize == 0 {
		options.MaxSize = DefaultMaxSize
	}
	if options.MaxCache == 0 {
		options.MaxCache = 5 << 30
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	dir := filepath.Join(options.CacheDir, "sha256")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("artifact store: %w", err)
	}
	return &Store{options: options, cache: cache{dir: dir, max: options.MaxCache, now: options.Now}}, nil
}

// Fetch returns the artifact's verified content, from the cache if it is
// there. An error names the artifact.
func (s *Store) Fetch(ctx context.Context, a manifest.Artifact) (Blob, error) {
	sum, err := parseDigest(a.Digest)
	if err != nil {
		return Blob{}, fmt.Errorf("artifact %s: %w", name(a), err)
	}
	lock, _ := s.locks.LoadOrStore(sum, &sync.Mutex{})
	lock.(*sync.Mutex).Lock()
	defer lock.(*sync.Mutex).Unlock()
	if blob, found := s.cache.find(sum); found {
		return blob, nil
	}
	blob, err := s.download(ctx, a, sum)
	if err != nil {
		return Blob{}, fmt.Errorf("artifact %s: %w", name(a), err)
	}
	return blob, nil
}

// name is the address without what a URL may carry beside it.
func name(a manifest.Artifact) string {
	address, _, _ := strings.Cut(a.URI, "?")
	if address == "" {
		return a.Image
	}
	return address
}

// parseDigest reads "sha256:" and 64 hex digits in lower case.
func parseDigest(digest string) (string, error) {
	sum, found := strings.CutPrefix(digest, "sha256:")
	raw, err := hex.DecodeString(sum)
	if !found || err != nil || len(raw) != sha256.Size || strings.ToLower(sum) != sum {
		return "", fmt.Errorf("%w: digest %q: want sha256: and 64 hex digits", ErrUnusable, digest)
	}
	return sum, nil
}

// download reads the artifact to its end, then judges it.
func (s *Store) download(ctx context.Context, a manifest.Artifact, sum string) (blob Blob, err error) {
	content, err := s.open(ctx, a)
	if err != nil {
		return Blob{}, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	file, err := s.cache.create()
	if err != nil {
		return Blob{}, err
	}
	defer func() { err = errors.Join(err, s.cache.discard(file)) }()
	hash := sha256.New()
	var head prefix
	size, err := io.Copy(io.MultiWriter(file, hash, &head), io.LimitReader(content, s.options.MaxSize+1))
	if err != nil {
		return Blob{}, fmt.Errorf("read: %w", err)
	}
	if size > s.options.MaxSize {
		return Blob{}, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, s.options.MaxSize)
	}
	if err := judge(&head, sum, hex.EncodeToString(hash.Sum(nil))); err != nil {
		return Blob{}, err
	}
	return s.cache.keep(file, sum, size)
}

// lfsPointer is how a Git LFS pointer begins: what is found where somebody
// checked out without LFS.
const lfsPointer = "version https://git-lfs.github.com/spec/"

// judge looks at what was read. A pointer is named before the digest, because
// it explains the mismatch.
func judge(head *prefix, want, got string) error {
	start := head.Bytes()
	if bytes.HasPrefix(start, []byte(lfsPointer)) {
		return fmt.Errorf("%w: a Git LFS pointer, not the file: fetch it with git lfs", ErrUnusable)
	}
	if got != want {
		return fmt.Errorf("%w: want sha256:%s, found sha256:%s", ErrMismatch, want, got)
	}
	if !bytes.HasPrefix(start, []byte("PK\x03\x04")) && !bytes.HasPrefix(start, []byte("PK\x05\x06")) {
		return fmt.Errorf("%w: not a zip file", ErrUnusable)
	}
	return nil
}

// prefix keeps the start of what is written to it.
type prefix struct{ bytes.Buffer }

func (p *prefix) Write(b []byte) (int, error) {
	if room := len(lfsPointer) - p.Len(); room > 0 {
		p.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// open finds the content by the scheme of the artifact's address.
func (s *Store) open(ctx context.Context, a manifest.Artifact) (io.ReadCloser, error) {
	scheme, rest, found := strings.Cut(a.URI, ":")
	switch {
	case a.Image != "":
		return nil, fmt.Errorf("%w: a container image is not fetched", ErrUnusable)
	case found && scheme == "file":
		return s.openFile(rest)
	case found && scheme == "s3":
		return s.openObject(ctx, a)
	case found && scheme == "oci" && s.options.OCI != nil:
		return s.options.OCI.Blob(ctx, strings.TrimPrefix(rest, "//"), a.Digest)
	case found && scheme == "oci":
		return nil, fmt.Errorf("%w: oci: artifacts are not configured", ErrUnusable)
	}
	return nil, fmt.Errorf("%w: want file:PATH, s3://BUCKET/KEY or oci://REGISTRY/REPOSITORY", ErrUnusable)
}

// openFile opens a path below Root. os.Root follows no link out of it.
func (s *Store) openFile(path string) (content io.ReadCloser, err error) {
	if s.options.Root == "" {
		return nil, fmt.Errorf("%w: file: artifacts need a folder (--artifacts DIR)", ErrUnusable)
	}
	path = strings.TrimPrefix(path, "./")
	if !fs.ValidPath(path) || strings.Contains(path, `\`) {
		return nil, fmt.Errorf("%w: want a path below the artifacts folder that never leads up", ErrUnusable)
	}
	root, err := os.OpenRoot(s.options.Root)
	if err != nil {
		return nil, fmt.Errorf("artifacts folder: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no %s below %s", ErrMissing, path, s.options.Root)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUnusable, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a file", ErrUnusable)
	}
	return root.Open(path)
}

func (s *Store) openObject(ctx context.Context, a manifest.Artifact) (io.ReadCloser, error) {
	if s.options.S3 == nil {
		return nil, fmt.Errorf("%w: s3: artifacts are not configured", ErrUnusable)
	}
	address, err := url.Parse(a.URI)
	if err != nil || address.Host == "" || len(address.Path) < 2 || address.User != nil {
		return nil, fmt.Errorf("%w: want s3://BUCKET/KEY", ErrUnusable)
	}
	return s.options.S3.Get(ctx, address.Host, strings.TrimPrefix(address.Path, "/"), a.Version)
}
