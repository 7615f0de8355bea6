package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

// model is a small system, made at random, that can be written down in many
// ways.
type model struct {
	queues    []mapping
	functions []mapping
}

// mapping is an ordered YAML mapping; values are text, []any or mapping.
type mapping []pair

type pair struct {
	key   string
	value any
}

func (m mapping) with(key string, value any) mapping {
	out := slices.Clone(m)
	for i := range out {
		if out[i].key == key {
			out[i].value = value
			return out
		}
	}
	return append(out, pair{key, value})
}

func drawModel(t *rapid.T) model {
	var m model
	count := rapid.IntRange(2, 4).Draw(t, "queues")
	for i := range count {
		m.queues = append(m.queues, mapping{
			{"apiVersion", APIVersion}, {"kind", "Queue"},
			{"metadata", mapping{{"name", fmt.Sprintf("q%d", i)}, {"labels", mapping{{"team", "a"}, {"tier", "b"}}}}},
			{"spec", mapping{
				{"visibilityTimeout", rapid.IntRange(900, 43200).Draw(t, "visibility")},
				{"delaySeconds", rapid.SampledFrom([]any{1, 7, "${delay}"}).Draw(t, "delay")},
				{"tags", mapping{{"b", "2"}, {"a", "1"}}},
			}},
		})
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "functions") {
		m.functions = append(m.functions, mapping{
			{"apiVersion", APIVersion}, {"kind", "Function"}, {"metadata", mapping{{"name", fmt.Sprintf("f%d", i)}}},
			{"spec", mapping{
				{"artifact", mapping{{"uri", "s3://bucket/key"}, {"digest", "sha256:" + strings.Repeat("a", 64)}}},
				{"runtime", "python3.13"}, {"handler", "app.handler"},
				{"timeout", rapid.IntRange(1, 900).Draw(t, "timeout")},
				{"environment", mapping{{"LEVEL", "${level}"}, {"COUNT", 3}, {"URL", mapping{{"ref", "Queue/q0"}, {"attribute", "url"}}}}},
				{"role", mapping{{"statements", []any{mapping{{"Effect", "Allow"}, {"Action", "s3:GetObject"}, {"Resource", "*"}}}}}},
				{"triggers", mapping{
					{"main", mapping{{"queue", "Queue/q0"}, {"batchSize", "${delay}"}}},
					{"other", mapping{{"queue", "Queue/q1"}, {"batchSize", "${batch}"}}},
				}},
			}},
		})
	}
	return m
}

// writing is how a model is written down: nothing of it has a meaning.
type writing struct {
	shuffle, flow, comments, quotes, crlf, oneFile bool
	seed                                           int
}

func drawWriting(t *rapid.T, name string) writing {
	flag := func(what string) bool { return rapid.Bool().Draw(t, name+" "+what) }
	return writing{flag("shuffle"), flag("flow"), flag("comments"), flag("quotes"), flag("crlf"), flag("oneFile"), rapid.IntRange(1, 50).Draw(t, name+" seed")}
}

func (w writing) tree(docs []mapping) fstest.MapFS {
	var texts []string
	for _, doc := range docs {
		texts = append(texts, w.block(doc, 0))
	}
	if w.shuffle {
		slices.Reverse(texts)
	}
	tree := fstest.MapFS{}
	if w.oneFile {
		texts = []string{strings.Join(texts, "---\n")}
	}
	for i, text := range texts {
		if w.crlf {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		tree[fmt.Sprintf("d%d/%d.yaml", (i*w.seed)%3, (i*w.seed)%97)] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

// order is a permutation that depends on the seed.
func (w writing) order(m mapping) mapping {
	out := slices.Clone(m)
	if w.shuffle && len(out) > 0 {
		turn := w.seed % len(out)
		out = append(slices.Clone(out[turn:]), out[:turn]...)
		if w.seed%3 == 0 {
			slices.Reverse(out)
		}
	}
	return out
}

func (w writing) block(m mapping, depth int) string {
	var b strings.Builder
	indent := strings.Repeat("  ", depth)
	for _, p := range w.order(m) {
		if w.comments {
			fmt.Fprintf(&b, "%s# about %s\n", indent, p.key)
		}
		if inner, ok := p.value.(mapping); ok && !w.flow {
			fmt.Fprintf(&b, "%s%s:\n%s", indent, p.key, w.block(inner, depth+1))
			continue
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, p.key, w.inline(p.value))
	}
	return b.String()
}

func (w writing) inline(x any) string {
	switch x := x.(type) {
	case mapping:
		var parts []string
		for _, p := range w.order(x) {
			parts = append(parts, p.key+": "+w.inline(p.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, item := range x {
			parts = append(parts, w.inline(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		if w.quotes {
			return "'" + x + "'"
		}
		return `"` + x + `"`
	}
	return fmt.Sprint(x)
}

func (m model) docs() []mapping { return append(slices.Clone(m.queues), m.functions...) }

const propertyOverlay = `apiVersion: mooring.dev/v1
kind: Environment
metadata: {name: preview}
spec:
  values: {delay: 5, batch: 7, level: info}
  patches: [{target: {kind: Function, name: f0}, patch: {spec: {memorySize: 256}}}]
`

func render(t interface{ Fatal(...any) }, tree fstest.MapFS, overlay string) *Release {
	if overlay != "" {
		tree = maps.Clone(tree)
		tree["environments/preview.yaml"] = &fstest.MapFile{Data: []byte(overlay)}
	}
	docs, err := new(Loader).Load(tree, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	release, err := Render(docs, testPipeline("preview"), "preview", "")
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// Formatting, comments, key order, file layout and document order have no
// meaning: every digest is the same.
func TestDigestsIgnoreWriting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		a := render(t, drawWriting(t, "a").tree(m.docs()), propertyOverlay)
		b := render(t, drawWriting(t, "b").tree(m.docs()), propertyOverlay)
		if a.Content != b.Content || a.Digest != b.Digest || a.Overlay != b.Overlay {
			t.Fatalf("content %v, release %v, overlay %v", a.Content == b.Content, a.Digest == b.Digest, a.Overlay == b.Overlay)
		}
		for i := range a.Resources {
			if a.Resources[i].Ref != b.Resources[i].Ref || a.Resources[i].Digest != b.Resources[i].Digest {
				t.Fatalf("resource %d: %v and %v", i, a.Resources[i].Ref, b.Resources[i].Ref)
			}
		}
	})
}

// edit is a change that changes behaviour.
type edit struct {
	path  []string
	value any
}

var functionEdits = []edit{
	{[]string{"spec", "artifact", "digest"}, "sha256:" + strings.Repeat("b", 64)},
	{[]string{"spec", "artifact", "uri"}, "s3://bucket/other"},
	{[]string{"spec", "artifact", "version"}, "v1"},
	{[]string{"spec", "runtime"}, "python3.14"},
	{[]string{"spec", "handler"}, "other.handler"},
	{[]string{"spec", "description"}, "other"},
	{[]string{"spec", "architectures"}, []any{"arm64"}},
	{[]string{"spec", "environment", "LEVEL"}, "other"},
	{[]string{"spec", "environment", "MORE"}, ""},
	{[]string{"spec", "environment", "URL"}, mapping{{"ref", "Queue/q0"}, {"attribute", "name"}}},
	{[]string{"spec", "role"}, mapping{{"arn", "arn:aws:iam::111111111111:role/x"}}},
	{[]string{"spec", "role", "path"}, "/x/"},
	{[]string{"spec", "layers"}, []any{"arn:aws:lambda:eu-west-1:111111111111:layer:x:1"}},
	{[]string{"spec", "vpcConfig"}, mapping{{"subnetIds", []any{"subnet-1"}}, {"securityGroupIds", []any{"sg-1"}}}},
	{[]string{"spec", "deadLetterConfig"}, "Queue/q0"},
	{[]string{"spec", "kmsKeyArn"}, "arn:aws:kms:eu-west-1:111111111111:key/x"},
	{[]string{"spec", "tracingConfig"}, mapping{{"mode", "Active"}}},
	{[]string{"spec", "ephemeralStorage"}, mapping{{"size", 1024}}},
	{[]string{"spec", "snapStart"}, mapping{{"applyOn", "PublishedVersions"}}},
	{[]string{"spec", "loggingConfig"}, mapping{{"logFormat", "JSON"}}},
	{[]string{"spec", "codeSigningConfigArn"}, "arn:aws:lambda:eu-west-1:111111111111:code-signing-config:x"},
	{[]string{"spec", "sourceKmsKeyArn"}, "arn:aws:kms:eu-west-1:111111111111:key/x"},
	{[]string{"spec", "fileSystemConfigs"}, []any{mapping{{"arn", "arn:aws:elasticfilesystem:eu-west-1:111111111111:access-point/x"}, {"localMountPath", "/mnt/a"}}}},
	{[]string{"spec", "tags"}, mapping{{"a", "b"}}},
	{[]string{"spec", "alias"}, "other"},
	{[]string{"spec", "triggers", "main", "batchSize"}, 6},
	{[]string{"spec", "triggers", "main", "enabled"}, false},
	{[]string{"spec", "triggers", "main", "filterPatterns"}, []any{mapping{{"body", []any{"x"}}}}},
	{[]string{"spec", "triggers", "url"}, mapping{{"url", mapping{{"authType", "NONE"}}}}},
	{[]string{"spec", "permissions"}, mapping{{"x", mapping{{"principal", "*"}}}}},
	{[]string{"spec", "reservedConcurrentExecutions"}, 0},
	{[]string{"spec", "asyncInvoke"}, mapping{{"maximumRetryAttempts", 0}}},
	{[]string{"spec", "expects"}, mapping{{"queues", []any{"q0"}}}},
	{[]string{"spec", "rollout"}, mapping{{"strategy", "canary"}}},
	{[]string{"spec", "rollout"}, mapping{{"analysis", mapping{{"tolerance", 0}}}}},
	{[]string{"metadata", "physicalName"}, "other"},
	{[]string{"metadata", "renamedFrom"}, "Function/other"},
	{[]string{"metadata", "adopt"}, true},
	{[]string{"metadata", "labels"}, mapping{{"a", "b"}}},
}

func (e edit) apply(m mapping, path []string) mapping {
	if len(path) == 1 {
		return m.with(path[0], e.value)
	}
	for _, p := range m {
		if inner, ok := p.value.(mapping); ok && p.key == path[0] {
			return m.with(path[0], e.apply(inner, path[1:]))
		}
	}
	return m.with(path[0], e.apply(nil, path[1:]))
}

// Every change of what a function is changes content and release.
func TestDigestsSeeEveryEdit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		how := drawWriting(t, "how")
		before := render(t, how.tree(m.docs()), propertyOverlay)
		e := rapid.SampledFrom(functionEdits).Draw(t, "edit")
		m.functions = slices.Clone(m.functions)
		m.functions[0] = e.apply(m.functions[0], e.path)
		after := render(t, how.tree(m.docs()), propertyOverlay)
		if before.Content == after.Content {
			t.Errorf("%v: same content", e.path)
		}
		if before.Digest == after.Digest {
			t.Errorf("%v: same release", e.path)
		}
		if before.Overlay != after.Overlay {
			t.Errorf("%v: other overlay", e.path)
		}
	})
}

// An overlay changes the release and not the content.
func TestContentIsBeforeTheOverlay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		tree := drawWriting(t, "how").tree(m.docs())
		a := render(t, tree, propertyOverlay)
		other := rapid.SampledFrom([]string{
			strings.Replace(propertyOverlay, "level: info", "level: warn", 1),
			strings.Replace(propertyOverlay, "memorySize: 256", "memorySize: 512", 1),
		}).Draw(t, "overlay")
		b := render(t, tree, other)
		if a.Content != b.Content || a.Digest == b.Digest || a.Overlay == b.Overlay {
			t.Fatalf("same content %v, same release %v, same overlay %v", a.Content == b.Content, a.Digest == b.Digest, a.Overlay == b.Overlay)
		}
	})
}

// What is needed stands before what needs it, every reference is there, and
// each name once.
func TestReleaseIsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		release := render(t, drawWriting(t, "how").tree(drawModel(t).docs()), propertyOverlay)
		seen := map[Ref]bool{}
		for _, res := range release.Resources {
			for _, ref := range res.Refs {
				if !seen[ref] {
					t.Fatalf("%v stands before %v, which it needs", res.Ref, ref)
				}
			}
			if seen[res.Ref] || res.Physical == "" || res.Digest != digest(Normal(res)) {
				t.Fatalf("%+v", res)
			}
			if !slices.IsSortedFunc(res.Refs, Ref.Compare) {
				t.Fatalf("%v: references are not sorted: %v", res.Ref, res.Refs)
			}
			seen[res.Ref] = true
		}
	})
}

func loadAndRender(l *Loader, tree fstest.MapFS) (*Release, error) {
	docs, err := l.Load(tree, LoadOptions{})
	if err != nil {
		return nil, err
	}
	return Render(docs, testPipeline("preview"), "preview", "")
}

// A Loader that remembers gives what a new one gives.
func TestLoaderRemembersRightly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loader := new(Loader)
		m := drawModel(t)
		for range 4 {
			how := drawWriting(t, "how")
			e := rapid.SampledFrom(functionEdits).Draw(t, "edit")
			m.functions = slices.Clone(m.functions)
			m.functions[0] = e.apply(m.functions[0], e.path)
			tree := how.tree(m.docs())
			tree["environments/preview.yaml"] = &fstest.MapFile{Data: []byte(rapid.SampledFrom([]string{
				propertyOverlay, strings.Replace(propertyOverlay, "level: info", "level: warn", 1),
			}).Draw(t, "overlay"))}
			got, err := loadAndRender(loader, tree)
			want, wantErr := loadAndRender(new(Loader), tree)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("remembering: %v, anew: %v", err, wantErr)
			}
			if err != nil {
				continue // two edits that exclude each other, and both ways say so
			}
			if got.Digest != want.Digest || got.Content != want.Content || got.Overlay != want.Overlay {
				t.Fatal("a remembered file gave another release")
			}
		}
	})
}
