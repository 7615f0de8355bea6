package memory

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Canonical flattens a spec into field paths: members by their JSON name, map
// keys behind a dot, lists whole. Pure.
func (pr *Provider) Canonical(res manifest.Resource, b providers.Bindings) (providers.Spec, error) {
	f := flattener{bindings: b, fields: map[string]string{}, sensitive: map[string]bool{}, unbound: map[manifest.Ref]bool{}}
	if err := f.resource(res); err != nil {
		return providers.Spec{}, fmt.Errorf("canonical form of %s: %w", res.Ref, err)
	}
	spec := specOf(res.Ref.Kind, f.fields, f.sensitive)
	if fn, ok := res.Spec.(*manifest.FunctionConfig); ok && fn.Artifact.Unmanaged {
		spec.Observed = []string{"code"}
	}
	spec.Unbound = slices.SortedFunc(maps.Keys(f.unbound), manifest.Ref.Compare)
	return spec, nil
}

// specOf digests fields into a Spec.
func specOf(kind string, fields map[string]string, sensitive map[string]bool) providers.Spec {
	spec := providers.Spec{Digest: digest(fields, nil)}
	if len(fields) > 0 {
		spec.Fields = maps.Clone(fields)
	}
	for path := range fields {
		if sensitive[path] {
			spec.Sensitive = append(spec.Sensitive, path)
		}
	}
	slices.Sort(spec.Sensitive)
	switch {
	case manifest.Versioned(kind):
		spec.Snapshot = digest(fields, outsideVersion)
	case kind == manifest.KindLayer:
		spec.Snapshot = digest(fields, ofUse)
	}
	return spec
}

// outsideVersion are members of what is versioned that a version does not keep.
func outsideVersion(path string) bool {
	return strings.HasPrefix(path, "tags") || path == "codeSigningConfigArn" || path == "sourceKmsKeyArn" || path == "recursiveLoop"
}

func digest(fields map[string]string, skip func(string) bool) string {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		if skip == nil || !skip(path) {
			fmt.Fprintf(h, "%d:%s=%d:%s;", len(path), path, len(fields[path]), fields[path])
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// token stands for a secret value: equal values, equal tokens.
func token(value string) string {
	mac := hmac.New(sha256.New, []byte("memory"))
	mac.Write([]byte(value))
	return quote("token:" + hex.EncodeToString(mac.Sum(nil))[:16])
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""` // strings always marshal
	}
	return string(text)
}

type flattener struct {
	bindings  providers.Bindings
	fields    map[string]string
	sensitive map[string]bool
	unbound   map[manifest.Ref]bool
}

func (f *flattener) resource(res manifest.Resource) error {
	switch spec := res.Spec.(type) {
	case *manifest.FunctionConfig:
		f.fields["code"] = quote(codeOf(spec.Artifact))
		rest := *spec
		rest.Artifact = manifest.Artifact{}
		if err := f.members("", reflect.ValueOf(rest)); err != nil {
			return err
		}
		delete(f.fields, "artifact.unmanaged") // how the code is handled, not what it is
		return nil
	case *manifest.TriggerSpec:
		f.fields["functionArn"] = quote(arn(manifest.KindFunction, res.Physical) + qualifier(spec.Alias))
		err := f.members("", reflect.ValueOf(*spec))
		if !spec.OfStream() {
			for _, path := range ofStreams {
				delete(f.fields, path)
			}
		}
		return err
	case *manifest.TableSpec:
		return f.store(reflect.ValueOf(*spec))
	case *manifest.BucketSpec:
		return f.store(reflect.ValueOf(*spec))
	case *manifest.RoleSpec:
		rest := *spec
		rest.Statements = nil
		for i, statement := range spec.Statements {
			if err := f.statement(i, statement); err != nil {
				return err
			}
		}
		return f.members("", reflect.ValueOf(rest))
	case *manifest.LayerSpec:
		return f.layer(spec)
	case *manifest.ProvisionedConcurrencySpec:
		return f.set("versions."+f.value(spec.Version), spec.ProvisionedConcurrentExecutions, false)
	case *manifest.RuntimeManagementSpec:
		return f.runtimes(spec)
	case *manifest.SecretSpec, *manifest.ParameterSpec:
		return nil
	}
	v := reflect.ValueOf(res.Spec)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return providers.Errorf(providers.Invalid, "it carries a %T", res.Spec)
	}
	return f.members("", v.Elem())
}

// runtimes stand on $LATEST, and on the version that carries the release.
func (f *flattener) runtimes(spec *manifest.RuntimeManagementSpec) error {
	mode := []string{spec.UpdateRuntimeOn, spec.RuntimeVersionArn}
	if _, _, bound := spec.Version.Target(); bound {
		if err := f.set("versions."+f.value(spec.Version), mode, false); err != nil {
			return err
		}
	}
	return f.set("latest", mode, false)
}

// ofStreams are a trigger's members that a queue's mapping does not have.
var ofStreams = []string{"parallelizationFactor", "bisectBatchOnFunctionError", "maximumRecordAgeInSeconds", "tumblingWindowInSeconds"}

// store leaves out what a table or a bucket says to Mooring alone.
func (f *flattener) store(v reflect.Value) error {
	err := f.members("", v)
	delete(f.fields, "manage")
	return err
}

func codeOf(a manifest.Artifact) string {
	if a.Digest != "" {
		return a.Digest
	}
	return a.Image + a.URI
}

func qualifier(alias manifest.Ref) string {
	if _, key, ok := strings.Cut(alias.Name, "."); ok {
		return ":" + key
	}
	return ""
}

// statement is one right of a role, named by its Sid or by its content.
func (f *flattener) statement(_ int, s map[string]any) error {
	text, err := json.Marshal(f.resolve(s))
	if err != nil {
		return providers.Errorf(providers.Invalid, "a statement is not JSON: %w", err)
	}
	name, ok := s["Sid"].(string)
	if !ok || name == "" {
		sum := sha256.Sum256(text)
		name = hex.EncodeToString(sum[:])[:8]
	}
	f.fields["statement["+quote(name)+"]"] = string(text)
	return nil
}

// resolve replaces {ref: …} objects in a document by what they stand for.
func (f *flattener) resolve(doc any) any {
	switch d := doc.(type) {
	case map[string]any:
		if text, ok := d["ref"].(string); ok {
			if ref, err := manifest.ParseRef(text); err == nil {
				attribute, _ := d["attribute"].(string)
				return f.value(manifest.Value{Ref: ref, Attribute: attribute})
			}
		}
		out := make(map[string]any, len(d))
		for k, v := range d {
			out[k] = f.resolve(v)
		}
		return out
	case []any:
		out := make([]any, len(d))
		for i, v := range d {
			out[i] = f.resolve(v)
		}
		return out
	}
	return doc
}

// value resolves a reference; what does not live yet leaves a placeholder.
func (f *flattener) value(v manifest.Value) string {
	ref, attribute, ok := v.Target()
	if !ok {
		return v.Literal
	}
	if attribute == manifest.AttributeAlias { // known by name before it lives
		if text, ok := f.bindings[ref]["arn"]; ok && f.bindings[ref][manifest.AttributeAlias] != "" {
			return text + ":" + f.bindings[ref][manifest.AttributeAlias]
		}
		attribute = "arn"
	}
	if text, ok := f.bindings[ref][attribute]; ok {
		return text
	}
	f.unbound[ref] = true
	return "(" + attribute + " of " + ref.String() + ")"
}

var (
	valueType = reflect.TypeFor[manifest.Value]()
	refType   = reflect.TypeFor[manifest.Ref]()
)

// members writes a struct's members under prefix.
func (f *flattener) members(prefix string, v reflect.Value) error {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" || v.Field(i).Type() == refType {
			continue
		}
		if err := f.member(join(prefix, name), v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

func (f *flattener) member(path string, v reflect.Value) error {
	switch {
	case v.Type() == valueType:
		return f.set(path, f.value(v.Interface().(manifest.Value)), v.IsZero())
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.Struct && v.Elem().Type() != valueType {
			return f.members(path, v.Elem())
		}
		if v.Elem().Type() == valueType {
			return f.member(path, v.Elem())
		}
		return f.set(path, v.Elem().Interface(), false) // a pointer to zero says zero
	case v.Kind() == reflect.Struct:
		return f.members(path, v)
	case v.Kind() == reflect.Slice && v.Type().Elem() == valueType:
		values := make([]string, v.Len())
		for i := range values {
			values[i] = f.value(v.Index(i).Interface().(manifest.Value))
		}
		return f.set(path, values, v.Len() == 0)
	case v.Kind() == reflect.Map && v.Type().Elem() != reflect.TypeFor[any]():
		return f.entries(path, v)
	}
	zero := v.IsZero() && v.Kind() != reflect.Int && v.Kind() != reflect.Bool
	return f.set(path, v.Interface(), zero)
}

// entries writes a map's entries, each a field of its own.
func (f *flattener) entries(path string, v reflect.Value) error {
	for _, key := range v.MapKeys() {
		name := key.String()
		at := KeyPath(path, name)
		if path == "environment" && manifest.SensitiveName(name) {
			f.sensitive[at] = true
		}
		if err := f.member(at, v.MapIndex(key)); err != nil {
			return err
		}
		if _, ok := f.fields[at]; !ok {
			f.fields[at] = `""` // an empty value is a value
		}
		if f.sensitive[at] {
			f.fields[at] = token(f.fields[at])
		}
	}
	return nil
}

// KeyPath is the path of a map's key: environment.A, environment["a.b"].
func KeyPath(prefix, key string) string {
	if key == "" || strings.ContainsAny(key, `."[] `) {
		return prefix + "[" + quote(key) + "]"
	}
	return prefix + "." + key
}

func (f *flattener) set(path string, value any, absent bool) error {
	if absent {
		return nil
	}
	if doc, ok := value.(map[string]any); ok {
		value = f.resolve(doc)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return providers.Errorf(providers.Invalid, "%s is not JSON: %w", path, err)
	}
	f.fields[path] = string(text)
	return nil
}
