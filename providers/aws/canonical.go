package aws

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sort"
	"strconv"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// builder gathers a resource's canonical form.
type builder struct {
	key      []byte
	bindings providers.Bindings
	own      map[string]string // attributes of the resource itself

	fields    map[string]string
	snapshot  string
	sensitive map[string]bool
	observed  map[string]bool
	unbound   map[manifest.Ref]bool
	unseen    map[string]string
}

func (p *Provider) builder(b providers.Bindings) *builder {
	return &builder{
		key: p.o.Tokens, bindings: b,
		fields: map[string]string{}, sensitive: map[string]bool{}, unbound: map[manifest.Ref]bool{}, unseen: map[string]string{},
	}
}

// set writes a field in canonical JSON.
func (b *builder) set(path string, value any) { b.fields[path] = canonicalJSON(value) }

// token writes a keyed token in place of a sensitive value: equal values show
// equal tokens, and nothing else can be read from them.
func (b *builder) token(path, value string) {
	b.set(path, tokenOf(b.key, value))
	b.sensitive[path] = true
}

func tokenOf(key []byte, value string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return "hmac:" + hex.EncodeToString(mac.Sum(nil))[:12]
}

// value resolves a Value to a string. What does not live yet leaves a
// placeholder and is noted.
func (b *builder) value(v manifest.Value) string {
	ref, attribute, isRef := v.Target()
	if !isRef {
		return v.Literal
	}
	if attribute == manifest.AttributeAlias {
		return b.aliasOf(ref)
	}
	if got := b.bindings[ref][attribute]; got != "" {
		return got
	}
	b.unbound[ref] = true
	return "${" + ref.String() + "." + attribute + "}"
}

// aliasOf is the ARN of the alias in front of ref, which need not live: it is
// made when traffic moves. Without one it is the ARN of ref itself.
func (b *builder) aliasOf(ref manifest.Ref) string {
	arn, name := b.bindings[ref]["arn"], b.bindings[ref][manifest.AttributeAlias]
	switch {
	case arn == "":
		b.unbound[ref] = true
		return "${" + ref.String() + ".alias}"
	case name == "":
		return arn
	}
	return arn + ":" + name
}

// spec closes the form.
func (b *builder) spec() providers.Spec {
	s := providers.Spec{Snapshot: b.snapshot, Sensitive: sortedKeys(b.sensitive), Observed: sortedKeys(b.observed)}
	if len(b.fields) > 0 {
		s.Fields = b.fields
	}
	s.Digest = digestOf(b.fields)
	for ref := range b.unbound {
		s.Unbound = append(s.Unbound, ref)
	}
	sort.Slice(s.Unbound, func(i, j int) bool { return s.Unbound[i].Compare(s.Unbound[j]) < 0 })
	return s
}

// live is a Live with the form gathered so far.
func (b *builder) live() providers.Live {
	l := providers.Live{Exists: true, Spec: b.spec(), Attributes: map[string]string{}}
	if len(b.unseen) > 0 {
		l.Unseen = b.unseen
	}
	return l
}

func digestOf(v any) string {
	sum := sha256.Sum256([]byte(canonicalJSON(v)))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// canonicalJSON is JSON with sorted keys and nothing escaped that need not be.
func canonicalJSON(v any) string {
	switch x := v.(type) { // most values are these, and surveys make many
	case string:
		if plainText(x) {
			return `"` + x + `"`
		}
	case int:
		return strconv.Itoa(x)
	case bool:
		return strconv.FormatBool(x)
	case []string:
		if x != nil && len(x) == 0 {
			return "[]"
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "null" // only values of this package come here: plain data
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// plainText needs no escaping in JSON.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// canonicalText is the canonical form of a JSON document, or the text itself
// as a JSON string when it is none.
func canonicalText(text string) json.RawMessage {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		v = text
	}
	return json.RawMessage(canonicalJSON(v))
}

// member is one field of a kind: where it is, and how to read and carry it.
type member[T any] struct {
	path string
	get  func(*T) any
	copy func(dst, src *T)
}

// each writes the members of v into b.
func each[T any](b *builder, table []member[T], v *T) {
	for _, m := range table {
		b.set(m.path, m.get(v))
	}
}

// merge carries the allowed members of src that differ into dst, and returns
// their paths.
func merge[T any](table []member[T], dst, src *T, allowed func(path string) bool) []string {
	var changed []string
	for _, m := range table {
		if allowed(m.path) && canonicalJSON(m.get(dst)) != canonicalJSON(m.get(src)) {
			m.copy(dst, src)
			changed = append(changed, m.path)
		}
	}
	return changed
}

// allowedBy is the rule of Change.Fields: nil allows all.
func allowedBy(fields []string) func(string) bool {
	if fields == nil {
		return func(string) bool { return true }
	}
	set := map[string]bool{}
	for _, f := range fields {
		set[f] = true
	}
	return func(path string) bool { return set[path] }
}

// keyPath names an entry of a map: environment.LOG_LEVEL, or
// environment["a.b"] for keys that would read as a path.
func keyPath(prefix, key string) string {
	if key == "" || strings.ContainsAny(key, `."[] `) {
		return prefix + "[" + canonicalJSON(key) + "]"
	}
	return prefix + "." + key
}

// keyOf is the inverse of keyPath; ok is false for other prefixes.
func keyOf(prefix, path string) (key string, ok bool) {
	rest, found := strings.CutPrefix(path, prefix)
	if !found || rest == "" {
		return "", false
	}
	if key, found := strings.CutPrefix(rest, "."); found {
		return key, true
	}
	if strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]") {
		if err := json.Unmarshal([]byte(rest[1:len(rest)-1]), &key); err == nil {
			return key, true
		}
	}
	return "", false
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// list is a list that is never null in JSON.
func list[S ~[]E, E ~string](items S) []string {
	out := make([]string, 0, len(items))
	for _, i := range items {
		out = append(out, string(i))
	}
	return out
}

// set is a list whose order has no meaning.
func set[S ~[]E, E ~string](items S) []string {
	out := list(items)
	sort.Strings(out)
	return out
}
