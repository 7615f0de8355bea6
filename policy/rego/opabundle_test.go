package rego

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/bundle"

	"mooring.dev/policy"
)

// packed makes a bundle file.
func packed(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, name := range sortedKeys(files) {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// good is a bundle as `opa build` lays it out: absolute names, data by its
// place.
func good() map[string]string {
	return map[string]string{
		"/.manifest":                         `{"revision":"r7","roots":["policy","config"],"rego_version":1}`,
		"/data.json":                         `{"config":{"limits":{"memory":2048}}}`,
		"/config/freezes/data.json":          `{"winter":{"from":"2026-12-20"}}`,
		"/policy/admission/limits.rego":      "package policy.admission.limits\n\nallow if input.commit.sha == \"b\"\n\ndeny contains \"over\" if {\n\tsome c in input.changes\n\tsome f in c.fields\n\tf.path == \"memorySize\"\n\tf.after > data.config.limits.memory\n}\n",
		"/policy/admission/limits_test.rego": "package policy.admission.limits_test\n\nimport data.policy.admission.limits\n\ntest_none if count(limits.deny) == 0 with input as {\"changes\": []}\n",
	}
}

func readPacked(t testing.TB, files map[string]string, o OPABundleOptions) (OPABundle, error) {
	t.Helper()
	text := packed(t, files)
	if o.Digest == "" {
		o.Digest = digest(text)
	}
	return ReadOPABundle(bytes.NewReader(text), o)
}

// A bundle decides as the same policies in a folder would.
func TestOPABundle(t *testing.T) {
	b, err := readPacked(t, good(), OPABundleOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if b.Revision != "r7" || b.Signed {
		t.Errorf("%+v", b)
	}
	tree := fstest.MapFS{}
	for name, text := range b.Files {
		tree["policies/"+name] = &fstest.MapFile{Data: text}
	}
	loaded, err := Load(tree, LoadOptions{})
	if err != nil || loaded.Tests != 1 {
		t.Fatalf("%v", err)
	}
	e := New(loaded, EvaluatorOptions{})
	if d := decide(t, e, policy.Admission, sample(policy.Admission)); d.Outcome != policy.Allow {
		t.Errorf("%s %v", d.Outcome, d.Findings)
	}
	in := sample(policy.Admission)
	in.Changes[0].Fields[0].After = json.RawMessage("4096")
	if d := decide(t, e, policy.Admission, in); d.Outcome != policy.Deny {
		t.Errorf("%s %v", d.Outcome, d.Findings)
	}
	// The same as a folder.
	folder := fstest.MapFS{}
	for name, text := range good() {
		folder[strings.TrimPrefix(name, "/")] = &fstest.MapFile{Data: []byte(text)}
	}
	_, err = ReadOPABundleFolder(folder, OPABundleOptions{})
	var bad *BundleError
	if !errors.As(err, &bad) {
		t.Fatalf("a folder without a digest: %v", err)
	}
	have := strings.Fields(strings.TrimPrefix(bad.Why, "it is "))[0]
	again, err := ReadOPABundleFolder(folder, OPABundleOptions{Digest: strings.TrimSuffix(have, ",")})
	if err != nil || !maps.EqualFunc(again.Files, b.Files, bytes.Equal) {
		t.Errorf("%v: %v", sortedKeys(again.Files), err)
	}
}

// What a bundle cannot be, each with words that say so.
func TestOPABundleRefusals(t *testing.T) {
	with := func(change func(map[string]string)) map[string]string {
		files := good()
		change(files)
		return files
	}
	for name, c := range map[string]struct {
		files map[string]string
		o     OPABundleOptions
		says  string
	}{
		"another one":         {good(), OPABundleOptions{Digest: "sha256:" + strings.Repeat("0", 64)}, "and not sha256:000"},
		"Rego v0":             {with(func(f map[string]string) { f["/.manifest"] = `{"rego_version":0}` }), OPABundleOptions{}, "Rego v0"},
		"a file in v0":        {with(func(f map[string]string) { f["/.manifest"] = `{"file_rego_versions":{"/policy/*":0}}` }), OPABundleOptions{}, "Rego v0"},
		"WebAssembly":         {with(func(f map[string]string) { f["/policy.wasm"] = "x" }), OPABundleOptions{}, "without a target"},
		"WebAssembly by name": {with(func(f map[string]string) { f["/.manifest"] = `{"wasm":[{"entrypoint":"x","module":"m"}]}` }), OPABundleOptions{}, "WebAssembly"},
		"a plan":              {with(func(f map[string]string) { f["/plan.json"] = "{}" }), OPABundleOptions{}, "without a target"},
		"a delta":             {with(func(f map[string]string) { f["/patch.json"] = "{}" }), OPABundleOptions{}, "delta"},
		"a broken manifest":   {with(func(f map[string]string) { f["/.manifest"] = `{` }), OPABundleOptions{}, ".manifest"},
		"data outside roots":  {with(func(f map[string]string) { f["/.manifest"] = `{"roots":["policy"]}` }), OPABundleOptions{}, "outside of the roots"},
		"data nobody reads":   {with(func(f map[string]string) { f["/.manifest"] = `{}`; f["/users/data.json"] = `{}` }), OPABundleOptions{}, "only data.config"},
		"data twice":          {with(func(f map[string]string) { f["/config/data.json"] = `{"limits":1}` }), OPABundleOptions{}, "there twice"},
		"data that is none":   {with(func(f map[string]string) { f["/data.json"] = `[1` }), OPABundleOptions{}, "data.json"},
		"a list for config":   {with(func(f map[string]string) { f["/data.json"] = `{"config":[1]}` }), OPABundleOptions{}, "must be an object"},
		"a name for a path":   {with(func(f map[string]string) { f["/data.json"] = `{"config":{"../../x":1}}` }), OPABundleOptions{}, "no file's"},
		"a path that leaves":  {with(func(f map[string]string) { f["../x.rego"] = "x" }), OPABundleOptions{}, "no path inside"},
		"a file twice":        {with(func(f map[string]string) { f["./data.json"] = "{}" }), OPABundleOptions{}, "there twice"},
		"a large file":        {with(func(f map[string]string) { f["/big.rego"] = strings.Repeat("x", maxFile+1) }), OPABundleOptions{}, "larger than"},
		"a bomb": {with(func(f map[string]string) {
			for i := range 20 {
				f[fmt.Sprint("/", i, ".rego")] = strings.Repeat("x", maxFile)
			}
		}), OPABundleOptions{}, "more than 16777216 bytes"},
		"many files": {with(func(f map[string]string) {
			for i := range maxFiles {
				f[fmt.Sprint("/", i, ".rego")] = ""
			}
		}), OPABundleOptions{}, "more than 1000 files"},
		"unsigned": {good(), OPABundleOptions{PublicKey: publicPEM(t, nil)}, "not signed"},
		"no PEM":   {with(func(f map[string]string) { f["/.signatures.json"] = `{}` }), OPABundleOptions{PublicKey: "key"}, "no PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readPacked(t, c.files, c.o)
			var bad *BundleError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	for name, text := range map[string]string{"no gzip": "x", "no tar": string(gzipped(t, []byte(strings.Repeat("x", 600)))), "zeros": string(gzipped(t, make([]byte, 10)))} {
		if _, err := ReadOPABundle(strings.NewReader(text), OPABundleOptions{Digest: digest([]byte(text))}); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// publicPEM is the public half of a key; of a new one for nil.
func publicPEM(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	if key == nil {
		key = newKey(t)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed adds the signatures that OPA's own tool would make.
func signed(t testing.TB, files map[string]string, key *ecdsa.PrivateKey) map[string]string {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var infos []bundle.FileInfo
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(files) {
		name, text := strings.TrimPrefix(name, "/"), files[name]
		var value any = []byte(text)
		if bundle.IsStructuredDoc(name) {
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := hasher.HashFile(value)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, bundle.NewFile(name, hex.EncodeToString(sum), "SHA-256"))
	}
	config := bundle.NewSigningConfig(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), "ES256", "")
	token, err := bundle.GenerateSignedToken(infos, config, "")
	if err != nil {
		t.Fatal(err)
	}
	out := maps.Clone(files)
	out["/.signatures.json"] = `{"signatures":["` + token + `"]}`
	return out
}

// With a key, only what that key has signed is taken, whole and unchanged.
func TestOPABundleSignature(t *testing.T) {
	key := newKey(t)
	files := signed(t, good(), key)
	if b, err := readPacked(t, files, OPABundleOptions{PublicKey: publicPEM(t, key)}); err != nil || !b.Signed {
		t.Fatalf("%v", err)
	}
	if b, err := readPacked(t, files, OPABundleOptions{}); err != nil || !b.Signed {
		t.Errorf("without a key it is not said to be signed: %v", err)
	}
	for name, c := range map[string]struct {
		change func(map[string]string)
		key    string
		says   string
	}{
		"another's key":  {func(map[string]string) {}, publicPEM(t, nil), "its signature"},
		"a file changed": {func(f map[string]string) { f["/policy/admission/limits.rego"] += "\n" }, publicPEM(t, key), "not what was signed"},
		"a file more":    {func(f map[string]string) { f["/policy/admission/more.rego"] = "package policy.admission.more\n" }, publicPEM(t, key), "not what was signed"},
		"a file less":    {func(f map[string]string) { delete(f, "/policy/admission/limits_test.rego") }, publicPEM(t, key), "is not there"},
		"no token":       {func(f map[string]string) { f["/.signatures.json"] = `{"signatures":[]}` }, publicPEM(t, key), "its signature"},
		"another plugin": {func(f map[string]string) { f["/.signatures.json"] = `{"signatures":["x"],"plugin":"p"}` }, publicPEM(t, key), "its signature"},
		"no JSON":        {func(f map[string]string) { f["/.signatures.json"] = `x` }, publicPEM(t, key), ".signatures.json"},
		"a private one":  {func(map[string]string) {}, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "publicKey"},
	} {
		t.Run(name, func(t *testing.T) {
			other := maps.Clone(files)
			c.change(other)
			_, err := readPacked(t, other, OPABundleOptions{PublicKey: c.key})
			var bad *BundleError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// No bundle makes the reader fall over, or hand out what is no path.
func FuzzOPABundle(f *testing.F) {
	f.Add(packed(f, good()))
	f.Add(packed(f, map[string]string{"data.json": `{"config":{"a":{"b":1}}}`, "a.rego": "package x"}))
	f.Add(gzipped(f, []byte("x")))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ReadOPABundle(bytes.NewReader(text), OPABundleOptions{Digest: digest(text)})
		check := func() {
			total := 0
			for name, data := range b.Files {
				total += len(data)
				if strings.HasPrefix(name, "/") || strings.Contains(name, "..") && strings.Contains("/"+name+"/", "/../") {
					t.Fatalf("%q", name)
				}
			}
			if total > 2*maxTotal {
				t.Fatalf("%d bytes", total)
			}
		}
		if err == nil {
			check()
		}
		// The same text as the only file of a bundle, which is what gets past the packing.
		b, err = ReadOPABundle(bytes.NewReader(packed(t, map[string]string{"data.json": string(text), ".manifest": string(text)})), OPABundleOptions{})
		if err == nil {
			t.Fatal("taken without a digest")
		}
		if b, err = laidOut(map[string][]byte{"data.json": text, "config/x/data.yaml": text}, OPABundleOptions{}); err == nil {
			check()
		}
	})
}
