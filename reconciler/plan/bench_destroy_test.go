package plan

import (
	"fmt"
	"testing"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// dissolved is an environment of n resources that the pipeline does not have any
// more: functions with what is on them, and a trigger each from its queue. Half
// of what is on them was listed as nobody's.
func dissolved(n int) Input {
	in := fleet(n * 4 / 5)
	for i := range n / 5 {
		name := fmt.Sprintf("f%05d", i)
		fn, queue := manifest.Ref{Kind: manifest.KindFunction, Name: name}, manifest.Ref{Kind: manifest.KindQueue, Name: name}
		trigger := manifest.Ref{Kind: manifest.KindTrigger, Name: name + ".q"}
		in.place(manifest.Resource{Ref: trigger, Parent: fn, Refs: []manifest.Ref{fn, queue}}, 5, "")
		permission := manifest.Ref{Kind: manifest.KindPermission, Name: name + ".p"}
		in.Inventory.Extras = append(in.Inventory.Extras, providers.Extra{Ref: permission, Parent: fn}, providers.Extra{Ref: trigger, Parent: fn})
	}
	in.Previous, in.Target = in.Target, nil
	return in
}

// BenchmarkDestroy10k plans the first pass of taking an environment away.
func BenchmarkDestroy10k(b *testing.B) {
	in := dissolved(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if d := Destroy(in, true); len(d.Going) != 10_000 || len(d.Steps) == 0 {
			b.Fatalf("%d go, %d now", len(d.Going), len(d.Steps))
		}
	}
}

// BenchmarkDestroyOrphans10k knows of nothing but its tags.
func BenchmarkDestroyOrphans10k(b *testing.B) {
	in := dissolved(10_000)
	in.Inventory.Orphans, in.Inventory.Live = in.Inventory.Live, nil
	in.Previous.Resources = nil
	b.ReportAllocs()
	for b.Loop() {
		if d := Destroy(in, true); len(d.Going) != 10_000 || len(d.Steps) == 0 {
			b.Fatalf("%d go, %d now", len(d.Going), len(d.Steps))
		}
	}
}

// BenchmarkPrune10k is a release that declares one resource of ten thousand.
func BenchmarkPrune10k(b *testing.B) {
	in := dissolved(10_000)
	last := in.Previous.Resources[len(in.Previous.Resources)-2]
	in.Target, in.Approved = &manifest.Release{Digest: "sha256:less", Resources: []manifest.Resource{last}}, true
	b.ReportAllocs()
	for b.Loop() {
		if p := Make(in); len(p.Steps) == 0 {
			b.Fatal("nothing goes")
		}
	}
}
