package aws

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// layer is a layer made of content.
func (w *world) layer(content string, change ...func(*manifest.LayerSpec)) manifest.Resource {
	spec := &manifest.LayerSpec{
		Artifact: w.zips.add(w.t, content), Description: "money", LicenseInfo: "MIT",
		CompatibleRuntimes: []string{"python3.12", "python3.13"}, CompatibleArchitectures: []string{"arm64"},
		Permissions: map[string]manifest.LayerPermission{"partner": {Action: getLayerVersion, Principal: "222222222222"}},
	}
	for _, c := range change {
		c(spec)
	}
	return manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindLayer, Name: "money"}, Physical: "preview-money", Spec: spec, Digest: content}
}

// carrierOf is the version that carries what is declared, as the planner finds
// it; "" for none.
func (w *world) carrierOf(res manifest.Resource, live providers.Live) string {
	w.t.Helper()
	spec, err := w.Canonical(res, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	best := ""
	for number, v := range live.Published {
		if v.Snapshot == spec.Snapshot && (best == "" || versionLess(best, number)) {
			best = number
		}
	}
	return best
}

func layerTests(t *testing.T, b *world) {
	one := b.layer("one")
	put := func(res manifest.Resource, c providers.Change) error {
		c.Resource, c.Guard, c.Release = res, b.one(res).Guard, testRelease
		_, err := b.Put(b.ctx, c)
		return err
	}
	if err := put(one, providers.Change{}); err != nil {
		t.Fatal(err)
	}
	live := b.one(one)
	if n := b.carrierOf(one, live); n != "1" || live.Owner.Resource != "Layer/money" || !b.owns(live.Owner) {
		t.Fatalf("published as %q, owned by %+v", n, live.Owner)
	}
	want, err := b.Canonical(one, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, value := range want.Fields {
		if _, unseen := live.Unseen[layerUsePrefix]; unseen && len(path) > len(layerUsePrefix) && path[:len(layerUsePrefix)] == layerUsePrefix {
			continue
		}
		if live.Spec.Fields[path] != value {
			t.Errorf("%s: live %s, declared %s", path, live.Spec.Fields[path], value)
		}
	}
	// A repeated Put makes nothing; another content makes another version, and
	// the old one stays for who names it.
	if err := put(one, providers.Change{}); err != nil {
		t.Fatal(err)
	}
	two := b.layer("two")
	if err := put(two, providers.Change{}); err != nil {
		t.Fatal(err)
	}
	live = b.one(two)
	if got := slices.Sorted(maps.Keys(live.Published)); !cmp.Equal(got, []string{"1", "2"}) || b.carrierOf(two, live) != "2" || b.carrierOf(one, live) != "1" {
		t.Errorf("versions %v: %q carries two, %q carries one", got, b.carrierOf(two, live), b.carrierOf(one, live))
	}
	if _, err := b.Delete(b.ctx, two, live.Guard); err != nil || b.one(two).Exists {
		t.Errorf("deleted and still there: %v", err)
	}
}

func TestLayerOnSandbox(t *testing.T) { layerTests(t, newBoxed(t, sandbox.Options{}).world) }

func TestLayerPermissions(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	res := b.layer("one")
	b.put(res, nil)
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	name, one := &res.Physical, awssdk.Int64(1)
	if _, err := bob.AddLayerVersionPermission(b.ctx, &lambda.AddLayerVersionPermissionInput{
		LayerName: name, VersionNumber: one, StatementId: awssdk.String("all"), Action: awssdk.String(getLayerVersion), Principal: awssdk.String("*"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.RemoveLayerVersionPermission(b.ctx, &lambda.RemoveLayerVersionPermissionInput{LayerName: name, VersionNumber: one, StatementId: awssdk.String("partner")}); err != nil {
		t.Fatal(err)
	}
	live := b.survey([]manifest.Resource{res}).Live[res.Ref]
	fields := live.Published["1"].Fields
	if fields["permissions.partner"] != "" || fields["permissions.all"] != `{"action":"lambda:GetLayerVersion","principal":"*"}` {
		t.Fatalf("who may use it: %v", fields)
	}
	b.put(res, nil, "permissions.all")
	if got := b.one(res).Published["1"].Fields; len(got) != 1 || got["permissions.partner"] == "" {
		t.Errorf("who may use it after it was put back: %v", got)
	}
	// A new version is for the same users from its first moment.
	next := b.layer("two")
	b.put(next, nil)
	if got := b.one(next).Published["2"].Fields; len(got) != 1 || got["permissions.partner"] == "" {
		t.Errorf("who may use the new version: %v", got)
	}
}

func TestLayersOfOthersAreNotTouched(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	res := b.layer("one")
	blob, err := b.zips.Fetch(b.ctx, b.zips.add(t, "theirs"))
	if err != nil {
		t.Fatal(err)
	}
	code, err := b.artifact(b.ctx, manifest.Artifact{URI: "file:x", Digest: blob.Digest})
	if err != nil {
		t.Fatal(err)
	}
	bob := lambda.NewFromConfig(b.as("AKIABOB"))
	publish := func(description string) {
		t.Helper()
		if _, err := bob.PublishLayerVersion(b.ctx, &lambda.PublishLayerVersionInput{
			LayerName: &res.Physical, Description: &description, Content: layerZip(code.ZipFile),
		}); err != nil {
			t.Fatal(err)
		}
	}
	publish("by hand")
	live := b.one(res)
	if !live.Exists || live.Owner != (providers.Owner{}) || len(live.Published) != 0 {
		t.Errorf("a layer by hand is %+v with %d versions", live.Owner, len(live.Published))
	}
	_, err = b.Put(b.ctx, providers.Change{Resource: res, Guard: live.Guard})
	kindOf(t, err, providers.Denied)
	_, err = b.Delete(b.ctx, res, live.Guard)
	kindOf(t, err, providers.Denied)
	if _, err := b.Put(b.ctx, providers.Change{Resource: res, Guard: live.Guard, Adopt: true}); err != nil {
		t.Errorf("adoption is refused: %v", err)
	}
	if live = b.one(res); !b.owns(live.Owner) || len(live.Published) != 1 {
		t.Errorf("adopted it is %+v with versions %v", live.Owner, live.Published)
	}
	// Another hand's version beside ours is none of ours, and none that serves.
	publish("by hand again")
	if live = b.one(res); !b.owns(live.Owner) || b.carrierOf(res, live) != "2" {
		t.Errorf("with a version by hand on top: %+v, %q carries what is declared", live.Owner, b.carrierOf(res, live))
	}
	if _, err := b.Delete(b.ctx, res, live.Guard); err != nil {
		t.Fatal(err)
	}
	if out, err := bob.ListLayerVersions(b.ctx, &lambda.ListLayerVersionsInput{LayerName: &res.Physical}); err != nil || len(out.LayerVersions) != 2 {
		t.Errorf("versions by hand went with ours: %d, %v", len(out.LayerVersions), err)
	}
}

func TestLayersAreFoundAndCleaned(t *testing.T) {
	b, all, bindings := settled(t, sandbox.Options{})
	res := b.layer("0")
	for i := range 5 {
		b.put(b.layer(fmt.Sprint(i)), nil)
	}
	// A function is pinned to version 2.
	fn := with(find(t, all, "Function/checkout"), func(f *manifest.FunctionConfig) {
		f.Layers = []manifest.Value{{Ref: res.Ref}}
	})
	if spec, _ := b.Canonical(fn, bindings); !slices.Contains(spec.Unbound, res.Ref) {
		t.Error("a function is not held up by a layer without a version")
	}
	pinned := maps.Clone(bindings)
	pinned[res.Ref] = map[string]string{"arn": b.one(res).Attributes["arn"] + ":2"}
	b.put(fn, pinned)
	if got, want := b.one(fn).Spec.Fields["layers"], `["arn:aws:lambda:eu-west-1:111111111111:layer:preview-money:2"]`; got != want {
		t.Errorf("pinned to %s", got)
	}
	if _, err := b.Clean(b.ctx, b.layer("0"), []string{"4"}, 1); err != nil {
		t.Fatal(err)
	}
	// 1 carries what is declared here, 2 is named, 4 is asked for, 5 is newest.
	if got := slices.Sorted(maps.Keys(b.one(res).Published)); !cmp.Equal(got, []string{"1", "2", "4", "5"}) {
		t.Errorf("left are %v", got)
	}
	b.survey(append(all, res))
	b.advance(b.o.LayerAge)
	orphans := b.survey(all).Orphans
	if live, ok := orphans[res.Ref]; !ok || live.Attributes["name"] != res.Physical {
		t.Errorf("a layer nobody declares is not found: %v", orphans)
	}
}

func layerZip(b []byte) *types.LayerVersionContentInput {
	return &types.LayerVersionContentInput{ZipFile: b}
}
