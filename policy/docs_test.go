package policy

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/policy-input.md anew")

// TestInputDocs: the reference of the input is what the types and their
// comments say.
func TestInputDocs(t *testing.T) {
	const path = "../docs/policy-input.md"
	want := inputDocs(t)
	if *updateDocs {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/policy-input.md is not what the types say: go test ./policy -run TestInputDocs -update-docs")
	}
	if rows := strings.Count(want, "\n| `"); rows < 120 {
		t.Errorf("only %d fields", rows)
	}
}

// docType is a struct of the contract: its comment and its fields'.
type docType struct {
	text   string
	fields []docField
}

type docField struct {
	name, kind, text string
	of               string // the struct it holds, or holds many of
	many             string // "[]" or ".KEY" behind the name
}

func inputDocs(t *testing.T) string {
	types := docTypes{}
	for _, file := range []string{"input.go", "facts.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				return true
			}
			for _, spec := range decl.Specs {
				s := spec.(*ast.TypeSpec)
				if body, ok := s.Type.(*ast.StructType); ok {
					types[s.Name.Name] = docType{text: oneLine(decl.Doc.Text()), fields: docFields(body)}
				}
			}
			return true
		})
	}
	var b strings.Builder
	b.WriteString(`# What policies see

Made from the types of the contract (` + "`mooring policy schemas`" + ` prints them as JSON Schemas). Every field is always there; a fact that may be
unknown says so beside its value; no number and no list is null. ` + "`[]`" + ` stands for each item of a list, ` + "`KEY`" + ` for each key of an object. A
misspelt field is an error when policies are loaded. A real document is printed by ` + "`mooring policy input`" + `.

## Everywhere

| field | type | meaning |
|---|---|---|
`)
	types.rows(&b, "Input", "input")
	for _, part := range []struct{ point, name string }{
		{"promotion", "PromotionFacts"}, {"rollout", "RolloutFacts"}, {"drift", "DriftFacts"}, {"notify", "NotifyFacts"}, {"activation", "ActivationFacts"},
	} {
		fmt.Fprintf(&b, "\n## At %s\n\n| field | type | meaning |\n|---|---|---|\n", part.point)
		types.rows(&b, part.name, "input")
	}
	return b.String()
}

type docTypes map[string]docType

// rows writes the fields of a struct, and of what they hold.
func (d docTypes) rows(b *strings.Builder, name, path string) {
	for _, f := range d[name].fields {
		text := f.text
		if text == "" {
			text = d[f.of].text
		}
		fmt.Fprintf(b, "| `%s.%s` | %s | %s |\n", path, f.name, f.kind, strings.ReplaceAll(text, "|", "\\|"))
		if f.of != "" {
			d.rows(b, f.of, path+"."+f.name+f.many)
		}
	}
}

func docFields(body *ast.StructType) []docField {
	var out []docField
	for _, field := range body.Fields.List {
		if len(field.Names) == 0 { // the parts of points
			continue
		}
		f := docField{name: reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), text: oneLine(field.Doc.Text() + " " + field.Comment.Text())}
		f.kind, f.of, f.many = docKind(field.Type)
		out = append(out, f)
	}
	return out
}

// docKind is a type in the words of JSON, and the struct it holds.
func docKind(e ast.Expr) (kind, of, many string) {
	switch e := e.(type) {
	case *ast.ArrayType:
		kind, of, _ := docKind(e.Elt)
		return "list of " + strings.Replace(kind+"s", "anys", "any", 1), of, "[]"
	case *ast.MapType:
		kind, of, _ := docKind(e.Value)
		return "object of " + kind + "s", of, ".KEY"
	case *ast.SelectorExpr: // json.RawMessage
		return "any", "", ""
	case *ast.Ident:
		switch e.Name {
		case "string", "Point":
			return "text", "", ""
		case "int", "int64", "float64":
			return "number", "", ""
		case "bool":
			return "boolean", "", ""
		}
		return "object", e.Name, ""
	}
	return "?", "", ""
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
