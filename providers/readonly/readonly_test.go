package readonly_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/providers/readonly"
	"mooring.dev/sources/manifest"
)

// reads are the methods that may reach the platform. Whatever else a provider
// learns to do is a write until it is listed here.
var reads = []string{"Canonical", "Survey", "Observe", "Measure", "Actors", "Armed", "AlarmStates", "Explains", "CheckAccount", "Hints", "Examine", "Diagnose"}

// TestWritesAreRefused calls every other method of every interface: each is
// Denied, and the platform is as it was.
func TestWritesAreRefused(t *testing.T) {
	platform := memory.New(memory.Options{Now: time.Now})
	inner := platform.Environment("shop", "staging")
	queue := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: "orders"}, Physical: "staging-orders", Spec: &manifest.QueueSpec{VisibilityTimeout: 30}}
	if _, err := inner.Put(t.Context(), providers.Change{Resource: queue}); err != nil {
		t.Fatal(err)
	}
	p := readonly.Wrap(inner)
	v := reflect.ValueOf(p)
	refused := 0
	for i := range v.NumMethod() {
		name := v.Type().Method(i).Name
		if strings.Contains(strings.Join(reads, " ")+" ", name+" ") {
			continue
		}
		out := v.Method(i).Call(arguments(t, v.Method(i).Type(), queue))
		err, _ := out[len(out)-1].Interface().(error)
		if providers.KindOf(err) != providers.Denied {
			t.Errorf("%s is not refused: %v", name, err)
		}
		refused++
	}
	if refused != 9 {
		t.Errorf("%d methods were refused, 9 are known to write", refused)
	}
	seen, err := p.Observe(t.Context(), queue)
	if err != nil || !seen[queue.Ref].Exists {
		t.Errorf("the queue is not seen any more: %v, %v", seen, err)
	}
}

// arguments are zero values, with the queue wherever a resource is meant.
func arguments(t *testing.T, f reflect.Type, res manifest.Resource) []reflect.Value {
	var in []reflect.Value
	for i := range f.NumIn() {
		switch arg := reflect.New(f.In(i)).Elem(); arg.Interface().(type) {
		case manifest.Resource:
			in = append(in, reflect.ValueOf(res))
		case providers.Change:
			in = append(in, reflect.ValueOf(providers.Change{Resource: res}))
		default:
			if i == 0 {
				in = append(in, reflect.ValueOf(t.Context()))
				continue
			}
			in = append(in, arg)
		}
	}
	return in
}
