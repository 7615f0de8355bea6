package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const queueText = "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: q}\n"

// bomb is a document whose aliases stand for 10^levels nodes.
func bomb(levels int) string {
	var b strings.Builder
	b.WriteString(queueText + "spec:\n  l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < levels; i++ {
		fmt.Fprintf(&b, "  l%d: &l%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d,", i-1), 10), ","))
	}
	return b.String()
}

func TestLesson11HostileFiles(t *testing.T) {
	plain := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, test := range map[string]struct {
		path string
		file *fstest.MapFile
		want string // in the message
	}{
		"symbolic link":        {"a.yaml", &fstest.MapFile{Mode: fs.ModeSymlink | 0o777}, "symbolic link"},
		"link that is no yaml": {"docs/README", &fstest.MapFile{Mode: fs.ModeSymlink | 0o777}, "symbolic link"},
		"gitlink":              {"vendor", &fstest.MapFile{Mode: fs.ModeIrregular}, "another repository"},
		"device":               {"a.yaml", &fstest.MapFile{Mode: fs.ModeDevice}, "no plain file"},
		"over 1 MiB":           {"a.yaml", plain(queueText + strings.Repeat("# x\n", MaxFileSize/4)), "over 1 MiB"},
		"NUL":                  {"a.yaml", plain(queueText + "\x00"), "NUL"},
		"not UTF-8":            {"a.yaml", plain(queueText + "# \xff\xfe"), "not UTF-8"},
		"UTF-16":               {"a.yaml", plain("\xff\xfea\x00p\x00i\x00"), "NUL"},
		"LFS pointer":          {"a.yaml", plain("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"), "LFS"},
		"alias bomb":           {"a.yaml", plain(bomb(9)), "aliases"},
		"alias of itself":      {"a.yaml", plain(queueText + "spec: {tags: &t {a: *t}}"), "nested too deeply"},
		"merge of itself":      {"a.yaml", plain(queueText + "spec: &s\n  <<: *s"), "nested too deeply"},
		"nesting of lists":     {"a.yaml", plain(queueText + "spec: {tags: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}"), "nested too deeply"},
		"nesting of mappings":  {"a.yaml", plain(queueText + "spec: " + strings.Repeat("{a: ", 70) + strings.Repeat("}", 70)), "nested too deeply"},
		"endless brackets":     {"a.yaml", plain(queueText + strings.Repeat("[", 500_000)), "cannot be read"},
		"deep folders":         {strings.Repeat("d/", 70) + "a.yaml", plain(queueText), "nested too deeply"},
		"binary tag":           {"a.yaml", plain(queueText + "spec: {kmsMasterKeyId: !!binary aGk=}"), "!!binary"},
		"foreign tag":          {"a.yaml", plain(queueText + "spec: {kmsMasterKeyId: !Ref Key}"), "!Ref"},
		"mapping as a key":     {"a.yaml", plain(queueText + "spec: {? {a: b} : c}"), "plain string"},
		"CR in a name":         {"a\nb.yaml", plain(queueText), "has a name"},
		"nesting of 10,000":    {"a.yaml", plain(queueText + "spec: {tags: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}"), "cannot be read"},
		"blocks within blocks": {"a.yaml", plain(queueText + "spec:\n" + blocks(1_000)), "nested too deeply"},
		"a key twice":          {"a.yaml", plain(queueText + "spec: {visibilityTimeout: 1, visibilityTimeout: 2}"), "duplicate key"},
		"a key twice, anchors": {"a.yaml", plain(queueText + "spec: &s {visibilityTimeout: 1}\nspec: *s"), "duplicate key"},
		"tabs":                 {"a.yaml", plain(queueText + "spec:\n\tvisibilityTimeout: 1\n"), "cannot be read"},
		"no UTF-8, deep":       {"a.yaml", plain(queueText + strings.Repeat("# x\n", 1000) + "spec: {a: \"\xc3\x28\"}"), "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := new(Loader).Load(fstest.MapFS{test.path: test.file}, LoadOptions{})
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("want faults, got %v", err)
			}
			if len(faults) != 1 || !strings.Contains(faults[0].Message, test.want) {
				t.Errorf("want one fault about %q, got\n%v", test.want, err)
			}
			if slices.Contains([]string{"duplicate key", "cannot be read", "!!binary", "!Ref", "plain string"}, test.want) && faults[0].Position.Line == 0 {
				t.Errorf("the line is not named: %v", err)
			}
			if faults[0].Position.File == "" || strings.Contains(faults[0].Position.File, "\n") {
				t.Errorf("the path is not named: %q", faults[0].Position.File)
			}
		})
	}
}

// blocks are mappings, each in the one before.
func blocks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i+1) + "a:\n")
	}
	return b.String()
}

// What is not ours is left alone, whatever it holds, and never quoted.
func TestNotOursIsLeftAlone(t *testing.T) {
	tree := fstest.MapFS{
		".github/workflows/x.yaml": {Data: []byte(queueText + "\x00")},
		".hidden.yaml":             {Data: []byte("\x00")},
		"policies/data/x.yaml":     {Data: []byte(queueText + "spec: {nothing: 1}")},
		"image.png":                {Data: bytes.Repeat([]byte{0}, 2*MaxFileSize)},
		"chart/templates/a.yaml":   {Data: []byte("apiVersion: apps/v1\nname: {{ .Values.secret }}\n")},
		"broken.yaml":              {Data: []byte("password: [hunter2")},
		"template.yaml":            {Data: []byte("Resources:\n  A: !Sub '${x}'\n")},
		"list.yaml":                {Data: []byte("- apiVersion: mooring.dev/v1\n")},
		"empty.yaml":               {},
		"comment.yaml":             {Data: []byte("# nothing\n")},
		"queue.yaml":               {Data: []byte("\xef\xbb\xbf" + strings.ReplaceAll(queueText, "\n", "\r\n"))},
	}
	docs, err := new(Loader).Load(tree, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if docs.Len() != 1 {
		t.Errorf("want the queue alone, got %d documents", docs.Len())
	}
}

// oddNames is a folder whose entries have names no folder can have.
type oddNames struct {
	fstest.MapFS
	names []string
}

type oddEntry struct{ name string }

func (e oddEntry) Name() string               { return e.name }
func (e oddEntry) IsDir() bool                { return strings.HasPrefix(e.name, "..") }
func (e oddEntry) Type() fs.FileMode          { return 0 }
func (e oddEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrPermission }

func (o oddNames) ReadDir(string) ([]fs.DirEntry, error) {
	var out []fs.DirEntry
	for _, name := range o.names {
		out = append(out, oddEntry{name})
	}
	return out, nil
}

func TestHostileNames(t *testing.T) {
	names := []string{"..", ".", "../x.yaml", "/etc/x.yaml", "a/b.yaml", `a\b.yaml`, "C:x.yaml", "a\x00.yaml", ""}
	_, err := new(Loader).Load(oddNames{names: names}, LoadOptions{})
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != len(names) {
		t.Fatalf("want %d faults, got %v", len(names), err)
	}
}

func TestTooManyManifests(t *testing.T) {
	tree := fstest.MapFS{}
	for i := range 5 {
		var b strings.Builder
		for j := range MaxManifests/5 + 1 {
			fmt.Fprintf(&b, "---\napiVersion: mooring.dev/v1\nkind: Secret\nmetadata: {name: s%d-%d}\n", i, j)
		}
		tree[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: []byte(b.String())}
	}
	_, err := new(Loader).Load(tree, LoadOptions{})
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 1 || !strings.Contains(faults[0].Message, "20005 manifests") {
		t.Fatalf("got %v", err)
	}
}

// An unreadable tree is no fault of the repository's.
func TestUnreadableTree(t *testing.T) {
	_, err := new(Loader).Load(failing{}, LoadOptions{})
	var faults Faults
	if err == nil || errors.As(err, &faults) || !errors.Is(err, fs.ErrPermission) {
		t.Fatalf("got %v", err)
	}
	if _, err := LoadPipeline(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

type failing struct{}

func (failing) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestHostilePipeline(t *testing.T) {
	for name, file := range map[string]*fstest.MapFile{
		"link":   {Mode: fs.ModeSymlink},
		"large":  {Data: bytes.Repeat([]byte("#"), MaxFileSize+1)},
		"bomb":   {Data: []byte(strings.Replace(bomb(9), "Queue", "Pipeline", 1))},
		"empty":  {},
		"twice":  {Data: []byte(Kinds()[0].Example + "---\n" + Kinds()[0].Example)},
		"syntax": {Data: []byte("apiVersion: mooring.dev/v1\nkind: [")},
	} {
		_, err := LoadPipeline(fstest.MapFS{PipelineFile: file})
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: want faults, got %v", name, err)
		}
	}
}

// The values of environment variables are never quoted: they may be secrets
// somebody should not have put there.
func TestFaultsDoNotQuoteEnvironment(t *testing.T) {
	text := `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: f}
spec:
  artifact: {uri: "s3://bucket/key", digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
  runtime: python3.13
  handler: a.b
  role: {statements: []}
  environment: {AWS_REGION: hunter2, "BAD-NAME": hunter2, LONG: ` + strings.Repeat("hunter2", 700) + `, MAP: {value2: hunter2}, L: [hunter2]}
`
	_, err := new(Loader).Load(fstest.MapFS{"f.yaml": {Data: []byte(text)}}, LoadOptions{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("got %v", err)
	}
}

// Values and patches cannot be made to stand for more than a machine holds.
func TestOverlayBombs(t *testing.T) {
	overlay := func(spec string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("apiVersion: mooring.dev/v1\nkind: Environment\nmetadata: {name: preview}\nspec: {" + spec + "}\n")}
	}
	many := fstest.MapFS{"environments/preview.yaml": overlay("patches: [{target: {kind: Queue, labels: {a: b}}, patch: {spec: {policy: {Statement: [" +
		strings.TrimSuffix(strings.Repeat("{},", 20_000), ",") + "]}}}}]")}
	for i := range 200 {
		many[fmt.Sprintf("q%d.yaml", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: q%d, labels: {a: b}}\n", i)}
	}
	for name, test := range map[string]struct {
		tree fstest.MapFS
		want string
	}{
		"a list in many places": {fstest.MapFS{
			"environments/preview.yaml": overlay("values: {x: [" + strings.TrimSuffix(strings.Repeat("1,", 5_000), ",") + "]}"),
			"f.yaml":                    {Data: []byte(queueText + "spec: {redrive: {deadLetter: Queue/q, maxReceiveCount: 1}, policy: {Statement: [" + strings.TrimSuffix(strings.Repeat("{value: x},", 1_000), ",") + "]}}")},
		}, "stand for too much"},
		"long text in many places": {fstest.MapFS{
			"environments/preview.yaml": overlay("values: {x: " + strings.Repeat("x", 100_000) + "}"),
			"f.yaml":                    {Data: []byte(queueText + "spec: {tags: {a: \"" + strings.Repeat("${x}", 1_000) + "\"}}")},
		}, "stand for too much"},
		"a large patch of many": {many, "stand for too much"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, err := new(Loader).Load(test.tree, LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = Render(docs, testPipeline("preview"), "preview", "")
			var faults Faults
			if !errors.As(err, &faults) || strings.Count(err.Error(), test.want) != 1 {
				t.Fatalf("got %.500v", err)
			}
		})
	}
}

// The size of all files together is bounded before any is read.
func TestTreeTooLarge(t *testing.T) {
	tree := fstest.MapFS{}
	large := bytes.Repeat([]byte("#\n"), MaxFileSize/2)
	for i := range maxTree/MaxFileSize + 1 {
		tree[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: large}
	}
	_, err := new(Loader).Load(sizesOnly{newFlat(tree)}, LoadOptions{})
	var faults Faults
	if !errors.As(err, &faults) || !strings.Contains(faults[0].Message, "256 MiB") {
		t.Fatalf("got %v", err)
	}
}

// sizesOnly is a tree whose files cannot be opened.
type sizesOnly struct{ flat }

func (sizesOnly) Open(name string) (fs.File, error) {
	panic("opened " + name)
}
