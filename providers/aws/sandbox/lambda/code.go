package lambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"mooring.dev/providers/aws/sandbox/wire"
)

const (
	zippedLimit    = 52428800
	unzippedLimit  = 262144000
	codeStoreLimit = 300 << 30
)

// codeInput is where code comes from. Exactly one source counts.
type codeInput struct {
	ZipFile                          []byte
	S3Bucket, S3Key, S3ObjectVersion string
	ImageURI                         string `json:"ImageUri"`
	SourceKMSKeyArn                  string
	S3ObjectStorageMode              string // COPY (the default) or REFERENCE
}

// bundle is one zip on disk, shared by every version with the same digest.
type bundle struct {
	hex  string
	once sync.Once
	root string // the unzipped folder, once asked for
	err  error
}

// load fetches and keeps the code; it is called without the mutex, because it
// may read a large object.
func (s *Service) load(in codeInput, packageType string) (codeRef, error) {
	if packageType == "Image" {
		return s.opts.Outside.imageRef(in)
	}
	content := in.ZipFile
	switch {
	case in.S3ObjectStorageMode != "" && in.S3ObjectStorageMode != "COPY" && in.S3ObjectStorageMode != "REFERENCE":
		return codeRef{}, constraint(in.S3ObjectStorageMode, "s3ObjectStorageMode", "Member must satisfy enum value set: [COPY, REFERENCE]")
	case in.S3ObjectStorageMode == "REFERENCE" && in.S3Bucket == "":
		return codeRef{}, invalid("S3ObjectStorageMode REFERENCE needs code in an S3 bucket.")
	case in.ImageURI != "":
		return codeRef{}, invalid("Please do not provide ImageUri when creating a function with packageType Zip.")
	case content != nil && (in.S3Bucket != "" || in.S3Key != ""):
		return codeRef{}, invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case content == nil && in.S3Bucket == "" && in.S3Key == "":
		return codeRef{}, invalid("Please provide a source for function code.")
	case content == nil:
		var err error
		if content, err = s.object(in); err != nil {
			return codeRef{}, err
		}
	}
	if len(content) > zippedLimit && in.ZipFile != nil {
		return codeRef{}, invalid("Zipped size must be smaller than %d bytes", zippedLimit)
	}
	if err := checkZip(content); err != nil {
		return codeRef{}, err
	}
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	if err := s.keep(name, content); err != nil {
		return codeRef{}, err
	}
	out := codeRef{SHA256: base64.StdEncoding.EncodeToString(sum[:]), Hex: name, Size: int64(len(content)), SourceKMSKeyArn: in.SourceKMSKeyArn}
	if in.S3ObjectStorageMode == "REFERENCE" { // said again each time: an update without it goes back to a copy
		out.Object = &s3Object{in.S3Bucket, in.S3Key, in.S3ObjectVersion}
	}
	return out, nil
}

func (s *Service) object(in codeInput) ([]byte, error) {
	const text = "Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s"
	if s.opts.Objects == nil {
		return nil, invalid(text, "NoSuchBucket", "The specified bucket does not exist")
	}
	content, err := s.opts.Objects.Get(in.S3Bucket, in.S3Key, in.S3ObjectVersion)
	if err == nil {
		return content, nil
	}
	var e *wire.Error
	if errors.As(err, &e) {
		return nil, invalid(text, e.Code, e.Message)
	}
	return nil, invalid(text, "NoSuchKey", "The specified key does not exist.")
}

func badZip() error {
	return invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
}

func checkZip(content []byte) error {
	r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return badZip()
	}
	if len(r.File) == 0 {
		return invalid("Uploaded file must be a non-empty zip")
	}
	var total uint64
	for _, f := range r.File {
		if !filepath.IsLocal(strings.TrimSuffix(f.Name, "/")) {
			return badZip()
		}
		total += f.UncompressedSize64
	}
	if total > unzippedLimit {
		return invalid("Unzipped size must be smaller than %d bytes", unzippedLimit)
	}
	return nil
}

// keep writes a zip under its digest, once.
func (s *Service) keep(name string, content []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.code[name] != nil {
		return nil
	}
	path := s.zipPath(name)
	if err := os.WriteFile(path+".part", content, 0o600); err != nil {
		return fmt.Errorf("keep function code: %w", err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("keep function code: %w", err)
	}
	s.code[name] = &bundle{hex: name}
	return nil
}

func (s *Service) zipPath(name string) string {
	return filepath.Join(s.opts.DataDir, "code", name+".zip")
}

// unzipped is the folder that holds a bundle's files; the first caller unzips.
func (s *Service) unzipped(b *bundle) (string, error) {
	b.once.Do(func() {
		root := filepath.Join(s.opts.DataDir, "tasks", b.hex)
		b.err = unzip(s.zipPath(b.hex), root)
		b.root = root
	})
	return b.root, b.err
}

// unzip extracts into a fresh folder. Nothing can be written outside it, and
// what the headers promised about sizes is not believed.
func unzip(path, dir string) error {
	r, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("open function code: %w", err)
	}
	defer r.Close()
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear the folder of function code: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of function code: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the folder of function code: %w", err)
	}
	defer root.Close()
	left := int64(unzippedLimit)
	for _, f := range r.File {
		n, err := extract(root, f, left)
		if err != nil {
			return fmt.Errorf("unzip %s: %w", f.Name, err)
		}
		left -= n
	}
	return nil
}

func extract(root *os.Root, f *zip.File, limit int64) (int64, error) {
	name := strings.TrimSuffix(f.Name, "/")
	if f.FileInfo().IsDir() {
		return 0, root.MkdirAll(name, 0o755)
	}
	if dir := filepath.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return 0, err
		}
	}
	in, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if f.Mode()&os.ModeSymlink != 0 {
		target, err := io.ReadAll(io.LimitReader(in, 4096))
		if err != nil {
			return 0, err
		}
		if !filepath.IsLocal(filepath.Join(filepath.Dir(name), string(target))) || filepath.IsAbs(string(target)) {
			return 0, errors.New("the link leads out of the code")
		}
		return 0, root.Symlink(string(target), name)
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644|f.Mode().Perm()&0o111)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("the code is larger than %d bytes", unzippedLimit)
	}
	return n, errors.Join(err, out.Close())
}
