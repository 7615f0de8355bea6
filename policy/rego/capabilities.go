package rego

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// refusedBuiltins are built-ins no policy gets, by name or, with a trailing
// dot, by family. Besides these, everything OPA itself calls nondeterministic
// is refused. bits.* is deterministic but cannot be interrupted.
var refusedBuiltins = []string{
	"http.send", "net.", "opa.runtime", "rego.parse_module", "trace",
	"time.now_ns", "rand.", "uuid.", "io.jwt.encode_sign", "io.jwt.encode_sign_raw",
	"providers.aws.", "crypto.x509.", "bits.",
}

// capabilities is the language policies are written in: Rego v1 with
// `import future.keywords.not`, without anything that reaches out of the
// document or answers differently the second time.
func capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1))
	all.Builtins = slices.DeleteFunc(all.Builtins, func(b *ast.Builtin) bool {
		return b.IsNondeterministic() || refused(b.Name)
	})
	all.FutureKeywords = []string{"not"}
	all.Features = slices.DeleteFunc(all.Features, func(f string) bool {
		return strings.HasPrefix(f, "rego_v2")
	})
	all.AllowNet = []string{} // nil would mean every host
	return all
}

func refused(name string) bool {
	return slices.ContainsFunc(refusedBuiltins, func(r string) bool {
		return name == r || strings.HasSuffix(r, ".") && strings.HasPrefix(name, r)
	})
}

// Capabilities is the capabilities file policies are compiled with, as OPA's
// own tools take it (opa check --capabilities).
func Capabilities() []byte {
	c := capabilities()
	file := struct {
		Builtins       []*ast.Builtin `json:"builtins"`
		FutureKeywords []string       `json:"future_keywords"`
		Features       []string       `json:"features"`
		AllowNet       []string       `json:"allow_net"` // present though empty
	}{c.Builtins, c.FutureKeywords, c.Features, c.AllowNet}
	return must(json.MarshalIndent(file, "", "  "))
}

// must is for encoding values of our own types, which cannot fail.
func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
