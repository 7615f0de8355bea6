package aws

import (
	"slices"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/crew"
	"mooring.dev/sources/manifest"
)

// breaking panics at a call that it is told of, wherever that is made.
type breaking struct {
	mu    sync.Mutex
	at    string
	heard []string
}

func (b *breaking) call(_, operation, _ string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.heard, operation) {
		b.heard = append(b.heard, operation)
	}
	if operation == b.at {
		panic("at " + operation)
	}
}

func (b *breaking) breakAt(operation string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = operation
}

// TestAPanicOfALookComesOutOfIt: at whatever call a look of everything panics, it
// does so in the goroutine of whoever looks, who can contain it; no goroutine
// ends the process, none is waited for for ever, and the next look is whole.
func TestAPanicOfALookComesOutOfIt(t *testing.T) {
	var b breaking
	box := newBoxed(t, sandbox.Options{}, func(o *Options) { o.OnCall = b.call })
	all := append(box.plain(2), manifest.Resource{ // a source of triggers, which functions wait for
		Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "jobs"}, Physical: "preview-jobs", Spec: &manifest.QueueSpec{VisibilityTimeout: 60},
	})
	if _, err := box.Put(box.ctx, providers.Change{Resource: all[2]}); err != nil {
		t.Fatal(err)
	}
	fresh := func() { box.world = newWorld(t, box.o); box.also = box.box.Advance }
	fresh()
	b.heard = nil
	box.survey(all)
	operations := slices.Clone(b.heard)
	if len(operations) < 10 {
		t.Fatalf("a look makes only %v", operations)
	}
	looks := map[string]func(){
		"survey":  func() { _, _ = box.Survey(box.ctx, all) },
		"observe": func() { _, _ = box.Observe(box.ctx, all...) },
	}
	for name, look := range looks {
		struck := 0
		for _, operation := range operations {
			fresh()
			b.breakAt(operation)
			if v := within(t, name+" at "+operation, look); v != nil {
				struck++
				if at, ok := v.(crew.Struck); ok && at.Value != "at "+operation {
					t.Errorf("%s at %s: %v", name, operation, at.Value)
				}
			}
			b.breakAt("")
			if v := within(t, name+" after "+operation, func() { box.survey(all) }); v != nil {
				t.Errorf("%s after %s: %v", name, operation, v)
			}
		}
		if struck == 0 || name == "survey" && struck < len(operations) {
			t.Errorf("%s: %d of %d panics came out", name, struck, len(operations))
		}
	}
}

// within is what do panics with; do has to end.
func within(t *testing.T, what string, do func()) any {
	t.Helper()
	out := make(chan any, 1)
	go func() {
		defer func() { out <- recover() }()
		do()
	}()
	select {
	case v := <-out:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end", what)
		return nil
	}
}
