package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// OPABundle is what an OPA bundle holds, laid out as a policy folder.
type OPABundle struct {
	Revision string            // its manifest's
	Files    map[string][]byte // by path below the policy folder
	// Signed: it carries signatures. They were verified if there was a key.
	Signed bool
}

// OPABundleOptions say what a bundle must be.
type OPABundleOptions struct {
	// Digest is "sha256:…" of the file; of a folder, of the list of its files
	// as sha256sum prints it, sorted by path.
	Digest string
	// PublicKey is the key that signed it, PEM; "" verifies no signature.
	PublicKey string
}

// BundleError says why a bundle cannot be used.
type BundleError struct{ Why string }

func (e *BundleError) Error() string { return "policy bundle: " + e.Why }

func refuse(format string, args ...any) error {
	return &BundleError{Why: fmt.Sprintf(format, args...)}
}

// ReadOPABundle reads a bundle file (a tar, gzipped), within the limits of a
// policy folder. Nothing of it is compiled or parsed as Rego here.
func ReadOPABundle(r io.Reader, o OPABundleOptions) (OPABundle, error) {
	packed, err := io.ReadAll(io.LimitReader(r, maxTotal+1))
	if err != nil {
		return OPABundle{}, fmt.Errorf("policy bundle: %w", err)
	}
	if len(packed) > maxTotal {
		return OPABundle{}, refuse("larger than %d bytes", maxTotal)
	}
	if have := digest(packed); have != o.Digest {
		return OPABundle{}, refuse("it is %s, and not %s; if that is what was reviewed, say so in spec.policies.digest", have, o.Digest)
	}
	files, err := unpack(packed)
	if err != nil {
		return OPABundle{}, err
	}
	return laidOut(files, o)
}

// ReadOPABundleFolder reads a bundle that is a folder: the root of tree.
func ReadOPABundleFolder(tree fs.FS, o OPABundleOptions) (OPABundle, error) {
	files := map[string][]byte{}
	total := 0
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("policy bundle: %w", err)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return refuse("%s is no regular file", name)
		case len(files) >= maxFiles:
			return refuse("more than %d files", maxFiles)
		}
		f, err := tree.Open(name)
		if err != nil {
			return fmt.Errorf("policy bundle: %w", err)
		}
		defer f.Close()
		files[name], err = bounded(f, name, &total)
		return err
	})
	if err != nil {
		return OPABundle{}, err
	}
	if have := listDigest(files); have != o.Digest {
		return OPABundle{}, refuse("it is %s, and not %s; if that is what was reviewed, say so in spec.policies.digest", have, o.Digest)
	}
	return laidOut(files, o)
}

// listDigest is the digest of `find . -type f | sort | xargs sha256sum`,
// without the leading ./.
func listDigest(files map[string][]byte) string {
	var list strings.Builder
	for _, name := range sortedKeys(files) {
		sum := sha256.Sum256(files[name])
		list.WriteString(hex.EncodeToString(sum[:]) + "  " + name + "\n")
	}
	return digest([]byte(list.String()))
}

// bounded reads one file of a bundle.
func bounded(r io.Reader, name string, total *int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, refuse("%s: %v", name, err)
	}
	if len(data) > maxFile {
		return nil, refuse("%s is larger than %d bytes", name, maxFile)
	}
	if *total += len(data); *total > maxTotal {
		return nil, refuse("more than %d bytes", maxTotal)
	}
	return data, nil
}

// maxUnpacked is what a bundle's tar may be: the files and what it says of them.
const maxUnpacked = maxTotal + 4096*maxFiles

func unpack(packed []byte) (map[string][]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, refuse("it is no gzipped tar: %v", err)
	}
	files, total := map[string][]byte{}, 0
	unpacked := &io.LimitedReader{R: plain, N: maxUnpacked}
	for archive := tar.NewReader(unpacked); ; {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return files, nil
		case unpacked.N <= 0:
			return nil, refuse("more than %d bytes", maxTotal)
		case err != nil:
			return nil, refuse("it is no gzipped tar: %v", err)
		case h.Typeflag == tar.TypeDir:
			continue
		case h.Typeflag != tar.TypeReg:
			return nil, refuse("%s is no regular file", h.Name)
		case len(files) >= maxFiles:
			return nil, refuse("more than %d files", maxFiles)
		}
		name := strings.TrimPrefix(strings.TrimPrefix(h.Name, "."), "/")
		if !fs.ValidPath(name) {
			return nil, refuse("%q is no path inside it", h.Name)
		}
		if _, twice := files[name]; twice {
			return nil, refuse("%s is there twice", name)
		}
		if files[name], err = bounded(archive, name, &total); err != nil {
			return nil, err
		}
	}
}

// The files that make a bundle.
const (
	manifestFile   = ".manifest"
	signaturesFile = ".signatures.json"
)

// laidOut makes a policy folder of a bundle's files.
func laidOut(files map[string][]byte, o OPABundleOptions) (OPABundle, error) {
	m := bundle.Manifest{}
	if text, there := files[manifestFile]; there {
		if err := json.Unmarshal(text, &m); err != nil {
			return OPABundle{}, refuse("%s: %v", manifestFile, err)
		}
	}
	m.Init() // without roots, everything is its own
	if err := usable(m, files); err != nil {
		return OPABundle{}, err
	}
	out := OPABundle{Revision: m.Revision, Files: map[string][]byte{}}
	_, out.Signed = files[signaturesFile]
	if o.PublicKey != "" {
		if err := verify(files, o.PublicKey); err != nil {
			return OPABundle{}, err
		}
	}
	for _, name := range sortedKeys(files) {
		base := path.Base(name)
		switch {
		case path.Ext(name) == ".rego":
			out.Files[name] = files[name]
		case base == "data.json" || base == "data.yaml" || base == "data.yml":
			if err := out.data(name, files[name], *m.Roots); err != nil {
				return OPABundle{}, err
			}
		}
	}
	return out, nil
}

// usable refuses bundles that are made for something else.
func usable(m bundle.Manifest, files map[string][]byte) error {
	if m.RegoVersion != nil && *m.RegoVersion != 1 || slices.ContainsFunc(sortedKeys(m.FileRegoVersions), func(f string) bool { return m.FileRegoVersions[f] != 1 }) {
		return refuse("its manifest says Rego v0; policies are written in Rego v1 (opa fmt --rewrite… makes it so)")
	}
	if len(m.WasmResolvers) > 0 {
		return refuse("it is compiled to WebAssembly; build it without a target")
	}
	for _, name := range sortedKeys(files) {
		switch base := path.Base(name); {
		case path.Ext(base) == ".wasm", base == "plan.json":
			return refuse("%s: it is compiled for another engine; build it without a target", name)
		case base == "patch.json":
			return refuse("%s: it is a delta, and there is nothing to apply it to; build a whole bundle", name)
		}
	}
	return nil
}

// data puts a bundle's data.json, which is data at its folder's path, where a
// policy folder has it: data.config is all there is.
func (b *OPABundle) data(name string, text []byte, roots []string) error {
	var value any
	if err := util.Unmarshal(bytes.TrimSpace(text), &value); err != nil {
		return refuse("%s: %v", name, err)
	}
	at := []string{}
	if dir := path.Dir(name); dir != "." {
		at = strings.Split(dir, "/")
	}
	if len(at) == 0 {
		object, ok := value.(map[string]any)
		if !ok {
			return refuse("%s: want an object", name)
		}
		for _, key := range sortedKeys(object) {
			if err := b.put(name, []string{key}, object[key], roots); err != nil {
				return err
			}
		}
		return nil
	}
	return b.put(name, at, value, roots)
}

func (b *OPABundle) put(name string, at []string, value any, roots []string) error {
	where := strings.Join(at, "/")
	if !slices.ContainsFunc(roots, func(r string) bool {
		return r == "" || where == r || strings.HasPrefix(where, r+"/") || strings.HasPrefix(r, where+"/")
	}) {
		return refuse("%s: data.%s is outside of the roots of its manifest", name, strings.Join(at, "."))
	}
	if at[0] != "config" {
		return refuse("%s: data.%s cannot be read by a policy: there is only data.config", name, strings.Join(at, "."))
	}
	if len(at) == 1 {
		object, ok := value.(map[string]any)
		if !ok {
			return refuse("%s: data.config must be an object", name)
		}
		for _, key := range sortedKeys(object) {
			if err := b.put(name, []string{"config", key}, object[key], roots); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return refuse("%s: %v", name, err)
	}
	file := "data/" + strings.Join(at[1:], "/") + ".json"
	if _, twice := b.Files[file]; twice || !fs.ValidPath(file) {
		return refuse("%s: data.%s is there twice, or its name is no file's", name, strings.Join(at, "."))
	}
	b.Files[file] = text
	return nil
}
