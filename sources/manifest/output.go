package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// MarshalJSON writes a release as `mooring render -o json` shows it: its
// digests, every expanded resource in order, and the deliveries. The form is
// stable: fields are only added.
func (r *Release) MarshalJSON() ([]byte, error) {
	resources := make([]any, 0, len(r.Resources))
	for _, res := range r.Resources {
		resources = append(resources, res.document())
	}
	functions := make(map[string]any, len(r.Functions))
	for ref, delivery := range r.Functions {
		functions[ref.String()] = map[string]any{
			"alias": delivery.Alias.String(), "rollout": delivery.Rollout, "expects": delivery.Expects,
		}
	}
	return appendCanonical(nil, map[string]any{
		"environment": r.Environment, "commit": r.Commit, "content": r.Content, "overlay": r.Overlay,
		"release": r.Digest, "resources": resources, "functions": functions,
	}), nil
}

// MarshalYAML gives the same document as MarshalJSON.
func (r *Release) MarshalYAML() (any, error) {
	text, err := r.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, fmt.Errorf("render release: %w", err)
	}
	return wholeNumbers(plain), nil
}

// RenderYAML writes the resources of a release as a stream of YAML
// documents, in order, as `mooring render` shows them.
func (r *Release) RenderYAML() ([]byte, error) {
	var out bytes.Buffer
	for i, res := range r.Resources {
		if i > 0 {
			out.WriteString("---\n")
		}
		text, err := res.RenderYAML()
		if err != nil {
			return nil, err
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}

// RenderYAML writes one resource as a YAML document: what a shorthand stands
// for, spelled out.
func (res Resource) RenderYAML() ([]byte, error) {
	var plain any
	d := json.NewDecoder(bytes.NewReader(appendCanonical(nil, res.document())))
	if err := d.Decode(&plain); err != nil {
		return nil, fmt.Errorf("render %s: %w", res.Ref, err)
	}
	text, err := yaml.Dump(wholeNumbers(plain))
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", res.Ref, err)
	}
	return text, nil
}

// document is a resource in the form of a manifest.
func (res Resource) document() map[string]any {
	metadata := map[string]any{"name": res.Ref.Name, "physicalName": res.Physical, "digest": res.Digest}
	if len(res.Labels) > 0 {
		metadata["labels"] = res.Labels
	}
	if res.Parent != (Ref{}) {
		metadata["parent"] = res.Parent.String()
	}
	if res.RenamedFrom != "" {
		metadata["renamedFrom"] = res.RenamedFrom
	}
	if res.Adopt {
		metadata["adopt"] = true
	}
	return map[string]any{"apiVersion": APIVersion, "kind": res.Ref.Kind, "metadata": metadata, "spec": res.Spec}
}

// wholeNumbers gives back to integers the form they had before JSON.
func wholeNumbers(x any) any {
	switch x := x.(type) {
	case float64:
		if x == float64(int64(x)) {
			return int64(x)
		}
	case []any:
		for i := range x {
			x[i] = wholeNumbers(x[i])
		}
	case map[string]any:
		for key := range x {
			x[key] = wholeNumbers(x[key])
		}
	}
	return x
}
