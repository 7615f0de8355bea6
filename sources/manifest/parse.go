package manifest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// rawDocument is one YAML document that says it is a manifest.
type rawDocument struct {
	kind string
	root *node
}

// parseFile reads every manifest of one file. Documents that are not
// manifests are left alone, and nothing of them is ever quoted.
func parseFile(file string, data []byte) ([]rawDocument, Faults) {
	if message, hint := refuseBytes(data); message != "" {
		return nil, Faults{{Position: Position{File: file}, Message: message, Hint: hint}}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, Faults{{Position: Position{File: file}, Message: "cannot be read as YAML"}}
	}
	var docs []rawDocument
	c := &converter{file: file}
	for {
		var n yaml.Node
		err := loader.Load(&n)
		if errors.Is(err, io.EOF) {
			return docs, c.faults
		}
		if err != nil {
			if looksLikeManifest(data) {
				c.faults = append(c.faults, syntaxFault(file, err))
			}
			return docs, c.faults
		}
		if doc, ok := c.document(&n); ok {
			docs = append(docs, doc)
		}
	}
}

// document recognises a manifest by its apiVersion, near-misses included.
func (c *converter) document(n *yaml.Node) (rawDocument, bool) {
	if n.Kind != yaml.DocumentNode || len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode {
		return rawDocument{}, false
	}
	body := n.Content[0]
	version, ok := c.apiVersion(body)
	if !ok {
		return rawDocument{}, false
	}
	root := c.convert(body, 1)
	kind := root.get("kind")
	switch {
	case c.stopped:
		return rawDocument{}, false
	case kind == nil || kind.kind != stringNode:
		c.fault(version, "the manifest has no kind", "one of "+strings.Join(kindOrder, ", "))
		return rawDocument{}, false
	}
	return rawDocument{kind: kind.text, root: root}, true
}

// apiVersion finds the node that makes a document a manifest.
func (c *converter) apiVersion(body *yaml.Node) (*yaml.Node, bool) {
	for i := 0; i+1 < len(body.Content); i += 2 {
		key, value := body.Content[i], body.Content[i+1]
		if value.Kind != yaml.ScalarNode || editDistance(strings.ToLower(key.Value), "apiversion") > 2 {
			continue
		}
		group, _, _ := strings.Cut(value.Value, "/")
		switch {
		case group != "mooring.dev" && !nearGroup(group):
			continue
		case key.Value != "apiVersion":
			c.fault(key, "unknown field "+quote(key.Value), "did you mean apiVersion?")
		case value.Value != APIVersion:
			c.fault(value, "apiVersion "+quote(value.Value)+" is not supported", "did you mean "+APIVersion+"?")
		default:
			return value, true
		}
		return nil, false
	}
	return nil, false
}

// nearGroup tells a misspelt mooring.dev from somebody else's group.
func nearGroup(group string) bool {
	lower := strings.ToLower(group)
	return lower == "mooring" || strings.HasPrefix(lower, "mooring.") || editDistance(lower, "mooring.dev") <= 2
}

// looksLikeManifest tells whether a file that is no YAML was meant for us.
func looksLikeManifest(data []byte) bool {
	for line := range bytes.Lines(data) {
		line = bytes.TrimLeft(line, " \t\"'{\xef\xbb\xbf")
		if len(line) < 10 || !bytes.EqualFold(line[:10], []byte("apiVersion")) {
			continue
		}
		text := strings.Trim(strings.TrimSpace(string(line[10:min(len(line), 100)])), `"': `)
		group, _, _ := strings.Cut(text, "/")
		if nearGroup(group) {
			return true
		}
	}
	return false
}

func syntaxFault(file string, err error) Fault {
	fault := Fault{Position: Position{File: file}, Message: "cannot be read as YAML"}
	if problem, ok := errors.AsType[*yaml.LoadError](err); ok {
		fault.Position.Line, fault.Position.Column = problem.Mark.Line, problem.Mark.Column
		fault.Message = "cannot be read as YAML: " + shorten(problem.Message)
	}
	return fault
}

// refuseBytes says why bytes cannot be a manifest; "" if they may be.
func refuseBytes(data []byte) (message, hint string) {
	switch {
	case len(data) > MaxFileSize:
		return "is over 1 MiB", "split it"
	case bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")):
		return "is a Git LFS pointer, not the file", "keep manifests out of LFS"
	case bytes.IndexByte(data, 0) >= 0:
		return "holds NUL bytes", "manifests are UTF-8 text"
	case !utf8.Valid(data):
		return "is not UTF-8", "manifests are UTF-8 text"
	}
	return "", ""
}
