package plan

import (
	"fmt"
	"testing"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// fleet is a release of n functions' worth of resources, all in place.
func fleet(n int) Input {
	in := Input{
		Now: start, Pipeline: pipelineID, Environment: manifest.Environment{Name: "production"},
		Target: &manifest.Release{Digest: "sha256:r", Functions: map[manifest.Ref]manifest.Delivery{}},
		Specs:  map[manifest.Ref]providers.Spec{}, Applied: map[manifest.Ref]record.Fact{}, Surveys: 9,
		Inventory: providers.Inventory{At: start, Complete: true, Live: map[manifest.Ref]providers.Live{}},
		Rollout:   rollout.State{Release: record.Release{Digest: "sha256:r"}},
	}
	for i := range n / 4 {
		name := fmt.Sprintf("f%05d", i)
		fn, alias := manifest.Ref{Kind: manifest.KindFunction, Name: name}, manifest.Ref{Kind: manifest.KindAlias, Name: name + ".live"}
		in.Target.Functions[fn] = manifest.Delivery{Alias: alias}
		in.place(manifest.Resource{Ref: fn}, 20, "snapshot")
		in.place(manifest.Resource{Ref: alias, Parent: fn, Refs: []manifest.Ref{fn}}, 1, "")
		in.place(manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindPermission, Name: name + ".p"}, Parent: fn, Refs: []manifest.Ref{alias}}, 3, "")
		in.place(manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: name}}, 9, "")
	}
	return in
}

// place puts one resource into a fleet: declared, applied and live alike.
func (in *Input) place(res manifest.Resource, fields int, snapshot string) {
	spec := providers.Spec{Digest: "sha256:" + res.Ref.Name, Fields: map[string]string{}, Snapshot: snapshot}
	for i := range fields {
		spec.Fields[fmt.Sprintf("field%d", i)] = "1"
	}
	live := providers.Live{
		Exists: true, Spec: spec, Guard: "r1", SeenAt: start,
		Owner: providers.Owner{Pipeline: pipelineID, Environment: "production", Resource: res.Ref.String()},
	}
	fact := record.Fact{Ref: res.Ref, Release: "sha256:r", Fields: spec.Fields, Snapshot: snapshot}
	switch res.Ref.Kind {
	case manifest.KindFunction:
		live.Published = map[string]providers.Version{"1": {Number: "1", Snapshot: snapshot, Ready: true}}
		fact.Version, fact.Newest = "1", "1"
	case manifest.KindAlias:
		live.Routing, fact.Version = providers.Routing{Version: "1"}, "1"
	}
	in.Target.Resources = append(in.Target.Resources, res)
	in.Specs[res.Ref], in.Inventory.Live[res.Ref], in.Applied[res.Ref] = spec, live, fact
}

// BenchmarkMake10k is a pass in which nothing happened.
func BenchmarkMake10k(b *testing.B) {
	in := fleet(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if p := Make(in); len(p.Steps)+len(p.Facts)+len(p.Waits) > 0 {
			b.Fatal(show(p))
		}
	}
}

// BenchmarkMake10kUnhashed compares every field: no digest helps.
func BenchmarkMake10kUnhashed(b *testing.B) {
	in := fleet(10_000)
	for ref, live := range in.Inventory.Live {
		live.Spec.Digest = ""
		in.Inventory.Live[ref] = live
	}
	b.ReportAllocs()
	for b.Loop() {
		if p := Make(in); len(p.Steps)+len(p.Facts)+len(p.Waits) > 0 {
			b.Fatal(show(p))
		}
	}
}

// BenchmarkRoad10k looks ahead over a first deployment.
func BenchmarkRoad10k(b *testing.B) {
	in := fleet(10_000)
	in.Inventory.Live, in.Applied, in.Rollout = map[manifest.Ref]providers.Live{}, nil, rollout.State{}
	b.ReportAllocs()
	for b.Loop() {
		if steps := Road(in); len(steps) < 10_000 {
			b.Fatalf("%d steps", len(steps))
		}
	}
}
