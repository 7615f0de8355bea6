package manifest

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func deadmanPipeline(spec string) (*Pipeline, error) {
	return LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(
		"apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: prod, provider: {memory: {}}, rollout: {" + spec + "}}]\n")}})
}

// A switch names a role, and acts neither before a daemon can restart nor when
// nobody remembers the release.
func TestDeadman(t *testing.T) {
	for text, want := range map[string]Deadman{
		"role: Role/deadman": {Role: "Role/deadman"},
		"role: arn:aws-cn:iam::111111111111:role/a/b, after: 5m, group: guards": {Role: "arn:aws-cn:iam::111111111111:role/a/b", After: Duration(5 * time.Minute), Group: "guards"},
	} {
		p, err := deadmanPipeline("deadman: {" + text + "}")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Environments[0].Rollout.Deadman; got == nil || *got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
	for text, want := range map[string]string{
		"after: 15m":                               "is required",
		"role: deadman":                            "want Role/NAME",
		"role: Function/deadman":                   "want Role/NAME",
		"role: Role/deadman, after: 4m59s":         "want 5m to 24h",
		"role: Role/deadman, after: 24h1s":         "want 5m to 24h",
		"role: Role/deadman, group: \"a/b\"":       "letters, digits",
		"role: Role/deadman, after: 15m, who: ann": "who",
	} {
		if _, err := deadmanPipeline("deadman: {" + text + "}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if p, err := deadmanPipeline("strategy: canary"); err != nil || p.Environments[0].Rollout.Deadman != nil {
		t.Errorf("it is there without a word: %v", err)
	}
	if got := (&Deadman{}).Delay(); got != 15*time.Minute {
		t.Errorf("by default it acts after %s", got)
	}
}

// Who looks after a release is no part of it: a switch changes no digest, and
// a branch cannot say.
func TestDeadmanIsNoPartOfARelease(t *testing.T) {
	const function = `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: f}
spec: {artifact: {uri: "file:f.zip", digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}, runtime: provided.al2023, handler: bootstrap, role: {arn: "arn:aws:iam::111111111111:role/f"}ROLLOUT}
`
	digest := func(spec, rollout string) (string, error) {
		p, err := deadmanPipeline(spec)
		if err != nil {
			t.Fatal(err)
		}
		tree := fstest.MapFS{"f.yaml": {Data: []byte(strings.Replace(function, "ROLLOUT", rollout, 1))}}
		docs, err := new(Loader).Load(tree, LoadOptions{})
		if err != nil {
			return "", err
		}
		rel, err := Render(docs, p, "prod", "c")
		if err != nil {
			return "", err
		}
		if d := rel.Functions[Ref{KindFunction, "f"}]; d.Rollout.Deadman != nil {
			t.Errorf("it is in the release: %+v", d.Rollout)
		}
		return rel.Digest, nil
	}
	without, err := digest("strategy: canary", "")
	if err != nil {
		t.Fatal(err)
	}
	if with, err := digest("strategy: canary, deadman: {role: Role/x}", ""); err != nil || with != without {
		t.Errorf("%s with a switch, %s without: %v", with, without, err)
	}
	if _, err := digest("strategy: canary", ", rollout: {deadman: {role: Role/x}}"); err == nil || !strings.Contains(err.Error(), "deadman is for environments") {
		t.Errorf("a branch says it: %v", err)
	}
}
