package reconciler

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// What somebody changed by hand shows in the list, and side by side with what
// is declared and was applied.
func TestResourcesAreShownAsTheyStand(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	all, err := s.d.Resources("production")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d resources: %v", len(all), err)
	}
	for i, r := range all {
		if r.State != "in_place" || i > 0 && all[i-1].Resource >= r.Resource {
			t.Errorf("%+v", r)
		}
	}
	must(s.platform.Manual("alice").Set(s.function("production", "checkout"), "memorySize", "1024"))
	ref := manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	var shown web.ResourceField
	if !s.until(5*time.Minute, func() bool {
		e := s.d.environment("production")
		res, _ := find(ref, e.published.Load().target)
		for _, f := range e.detail(res).Fields {
			if f.Path == "memorySize" && f.Differs() {
				shown = f
			}
		}
		return shown.Path != ""
	}) {
		t.Fatal("the change never showed")
	}
	if shown.Declared != 256.0 || shown.Applied != 256.0 || shown.Live != 1024.0 {
		t.Errorf("shown as %+v", shown)
	}
	if _, err := s.d.Resources("nowhere"); err == nil {
		t.Error("resources of no environment")
	}
}

// Whoever watches is told of what changed, not that time passes.
func TestNewsIsWhatChanged(t *testing.T) {
	a := &published{status: web.EnvironmentStatus{State: "in_sync", OldestSeconds: 1, SoakSeconds: 5}}
	older := &published{status: web.EnvironmentStatus{State: "in_sync", OldestSeconds: 9, SoakSeconds: 13}}
	other := &published{status: web.EnvironmentStatus{State: "drifted", OldestSeconds: 1, SoakSeconds: 5}}
	if news(a, older) || !news(a, other) {
		t.Errorf("age alone: %v, another state: %v", news(a, older), news(a, other))
	}
	var b beat
	first, second := b.changed(), b.changed()
	b.again()
	<-first
	<-second
	select {
	case <-b.changed():
		t.Error("told twice of one change")
	default:
	}
}

// A history with a limit is the beginning of the whole one, whichever clocks
// were set back, and costs what it shows.
func TestHistoryIsTheNewest(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	d := &Daemon{ledger: &ledger{}, environments: map[string]*environment{}}
	d.world.Store(&world{pipeline: &manifest.Pipeline{Environments: []manifest.Environment{{Name: "preview"}, {Name: "production"}}}})
	for _, name := range []string{"preview", "production"} {
		e, pub := &environment{name: name}, &published{}
		at := birth
		for i := range 500 {
			at = at.Add(time.Duration(rng.IntN(100)-20) * time.Second)
			pub.history = append(pub.history, journal.Event{Seq: journal.Seq(i + 1), At: at, Kind: "drift"})
		}
		pub.events = sync.OnceValue(func() []web.Event { return pub.eventsOf(name) })
		e.published.Store(pub)
		d.environments[name] = e
	}
	all := d.History("", 0)
	if len(all) != 1000 || !slices.IsSortedFunc(all, func(a, b web.Event) int { return b.At.Compare(a.At) }) {
		t.Fatalf("%d lines, in order: %v", len(all), slices.IsSortedFunc(all, func(a, b web.Event) int { return b.At.Compare(a.At) }))
	}
	for _, n := range []int{1, 30, 499, 1000} {
		if got := d.History("", n); !reflect.DeepEqual(got, all[:n]) {
			t.Errorf("the newest %d are not the first of all", n)
		}
	}
	d.History("", 30)[0].Text = "changed by who asked"
	if d.History("", 30)[0].Text != "" {
		t.Error("who asks can change what others are told")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		d.History("preview", 30)
	}
	runtime.ReadMemStats(&after)
	if size := (after.TotalAlloc - before.TotalAlloc) / 10; size > 30*600 {
		t.Errorf("30 lines cost %d bytes", size)
	}
}
