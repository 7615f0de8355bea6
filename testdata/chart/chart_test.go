// Package chart tries charts/mooring as Helm does: it is linted, rendered with
// five sets of values, and each object is held against Kubernetes' own types.
// It is a module of its own, so that the product's modules stay few.
package chart

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden renders anew")

const chartDir = "../../charts/mooring"

// sets are the sets of values, by name.
var sets = []string{"default", "production", "irsa", "minimal", "everything"}

func valuesOf(t *testing.T, set string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("values", set+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		t.Fatalf("values/%s.yaml: %v", set, err)
	}
	return values
}

// render gives the chart's objects by template, as `helm template` does.
func render(values map[string]any) (map[string]string, error) {
	c, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(c, values, common.ReleaseOptions{Name: "mooring", Namespace: "gitops", Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// objects are the single objects of a render, in a fixed order.
func objects(rendered map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if text := strings.TrimSpace(rendered[name]); strings.HasSuffix(name, ".yaml") && text != "" {
			out = append(out, text)
		}
	}
	return out
}

func TestGoldenRenders(t *testing.T) {
	for _, set := range sets {
		t.Run(set, func(t *testing.T) {
			rendered, err := render(valuesOf(t, set))
			if err != nil {
				t.Fatal(err)
			}
			got := []byte(strings.Join(objects(rendered), "\n---\n") + "\n")
			path := filepath.Join("golden", set+".yaml")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is not what the chart renders; look at `git diff` after: go test -run TestGoldenRenders -update", path)
			}
			if notes := rendered["mooring/templates/NOTES.txt"]; !strings.Contains(notes, "statefulset/mooring") {
				t.Errorf("the notes do not name the StatefulSet:\n%s", notes)
			}
		})
	}
}

func TestLint(t *testing.T) {
	for _, set := range sets {
		found := lint.RunAll(chartDir, valuesOf(t, set), "gitops")
		for _, m := range found.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", set, m)
			}
		}
	}
}

// TestLesson82ValuesRefused: what the schema or the templates keep out.
func TestLesson82ValuesRefused(t *testing.T) {
	repo := func(more string) string { return "repo: https://git.example.com/shop.git\n" + more }
	for name, c := range map[string]struct{ values, names string }{
		"no repository":                  {"{}", "repo"},
		"a folder for a repository":      {"repo: /srv/shop.git", "repo"},
		"a key nobody knows":             {repo("replicas: 2"), "replicas"},
		"a key nobody knows, deep":       {repo("image: {tga: v1}"), "tga"},
		"a share of more than all":       {repo("sweepShare: 2"), "sweepShare"},
		"no share":                       {repo("sweepShare: 0"), "sweepShare"},
		"a digest that is none":          {repo("image: {digest: latest}"), "digest"},
		"a role that is none":            {repo("serviceAccount: {roleArn: mooring}"), "roleArn"},
		"a wrong type":                   {repo("readOnly: 'yes'"), "readOnly"},
		"an interval without a unit":     {repo("poll: '60'"), "poll"},
		"an ingress without a host":      {repo("ingress: {enabled: true}"), "ingress.host"},
		"Prometheus without a way in":    {repo("metrics: {open: false, serviceMonitor: {enabled: true}}"), "metrics.open"},
		"an ingress that is shut out":    {repo("ingress: {enabled: true, host: mooring.example.com}"), "networkPolicy.from"},
		"a Prometheus that is shut out":  {repo("metrics: {serviceMonitor: {enabled: true}}"), "networkPolicy.from"},
		"an alert that does not exist":   {repo("metrics: {prometheusRule: {without: [NoSuch]}}"), "without"},
		"a state folder of one's own":    {repo("extraArgs: [--state=/tmp]"), "extraArgs"},
		"a secret's value in the values": {repo("token: {value: hunter2}"), "value"},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]any{}
			if err := yaml.Unmarshal([]byte(c.values), &values); err != nil {
				t.Fatal(err)
			}
			if _, err := render(values); err == nil {
				t.Error("was rendered")
			} else if !strings.Contains(err.Error(), c.names) {
				t.Errorf("the refusal does not name %s: %v", c.names, err)
			}
		})
	}
}

// TestSchemaIsWhole: the schema knows every value of values.yaml, with the
// type it has there, and the other way round.
func TestSchemaIsWhole(t *testing.T) {
	var schema map[string]any
	read(t, "values.schema.json", &schema)
	var values map[string]any
	read(t, "values.yaml", &values)
	compare(t, "", schema, values)
}

func read(t *testing.T, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(chartDir, name))
	if err == nil {
		err = yaml.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func compare(t *testing.T, at string, schema, values map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		return // a map of the user's own: labels, annotations
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s: the schema lets unknown keys in", at)
	}
	for key := range values {
		inner, ok := properties[key].(map[string]any)
		if !ok {
			t.Errorf("%s.%s is not in the schema", at, key)
			continue
		}
		if inner["description"] == nil && inner["properties"] == nil {
			t.Errorf("%s.%s: the schema does not say what it is", at, key)
		}
		if below, ok := values[key].(map[string]any); ok {
			compare(t, fmt.Sprintf("%s.%s", at, key), inner, below)
		}
	}
	for key := range properties {
		if _, ok := values[key]; !ok && at+"."+key != ".global" {
			t.Errorf("%s.%s is in the schema and not in values.yaml", at, key)
		}
	}
}
