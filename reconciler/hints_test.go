package reconciler

import (
	"context"
	"slices"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

// examining is a provider that looks at single things, and whose trail tells
// nobody's name.
type examining struct {
	*tapped
	looks, lookups *int
}

// Examine implements providers.Examiner: a survey of which only the subjects
// are told.
func (x examining) Examine(ctx context.Context, want []manifest.Resource, subjects ...manifest.Ref) (providers.Inventory, error) {
	*x.looks++
	inv, err := x.tapped.Provider.Survey(ctx, want)
	about := func(ref manifest.Ref) bool {
		i := slices.IndexFunc(want, func(r manifest.Resource) bool { return r.Ref == ref })
		return i >= 0 && (slices.Contains(subjects, ref) || slices.Contains(subjects, want[i].Parent))
	}
	for ref := range inv.Live {
		if !about(ref) {
			delete(inv.Live, ref)
		}
	}
	inv.Extras = slices.DeleteFunc(inv.Extras, func(e providers.Extra) bool { return !slices.Contains(subjects, e.Parent) })
	return inv, err
}

// Actors implements providers.ActorFinder: the trail lags.
func (x examining) Actors(context.Context, manifest.Resource, time.Time) ([]providers.Actor, error) {
	*x.lookups++
	return nil, nil
}

// TestHintsMakeLooksEarlyAndNameTheActor: word of a change leads to a look at
// that thing alone, long before the next survey, and says who it was; our own
// writes are no news, and a word too many changes nothing.
func TestHintsMakeLooksEarlyAndNameTheActor(t *testing.T) {
	var looks, lookups int
	s := begin(t, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider { return examining{t, &looks, &lookups} }}, "preview")
	settled(t, s)
	s.run(5 * time.Second)
	e := s.d.environment("preview")
	fn := s.function("preview", "checkout")
	word := func(request string) providers.Hint {
		return providers.Hint{Refs: []manifest.Ref{checkout}, Actor: providers.Actor{
			Known: true, Name: "assumed-role/Admin/alice", Event: "UpdateFunctionConfiguration", At: s.now(), RequestID: request,
		}}
	}
	surveyed := e.look.at
	fields, _ := s.platform.Fields(fn)
	was := fields["environment.LOG_LEVEL"]
	must(s.platform.Manual("alice").Set(fn, "environment.LOG_LEVEL", `"trace"`))
	e.hint([]providers.Hint{word("r1"), word("r1"), {Refs: []manifest.Ref{{Kind: manifest.KindFunction, Name: "nobody"}}}})
	s.run(8 * time.Second)
	if fields, _ := s.platform.Fields(fn); fields["environment.LOG_LEVEL"] != was {
		t.Errorf("not put back within seconds: %s", fields["environment.LOG_LEVEL"])
	}
	if !e.look.at.Equal(surveyed) {
		t.Error("everything was surveyed for one change")
	}
	if looks == 0 || lookups != 0 {
		t.Errorf("%d looks at single things, %d questions to the trail", looks, lookups)
	}
	for _, ev := range s.received["default"] {
		if ev.Kind == "drift" && ev.Labels["actor"] != "assumed-role/Admin/alice by UpdateFunctionConfiguration" {
			t.Errorf("who: %s", ev.Labels["actor"])
		}
	}
	if f, r := s.alerts("drift", "firing"), s.alerts("drift", "resolved"); f != 1 || r != 1 {
		t.Errorf("%d alerts, %d resolved", f, r)
	}
	s.run(5 * time.Second)
	before := looks
	var own string
	for id := range e.state().OwnRequests {
		own = id
	}
	e.hint([]providers.Hint{word(own)})
	s.run(3 * time.Second)
	if looks != before || own == "" {
		t.Errorf("our own write %q is looked at as somebody else's", own)
	}
	sound(t, s)
}

// TestHintsOfExtras: something undeclared is found, confirmed and put back by
// looks at its parent.
func TestHintsOfExtras(t *testing.T) {
	var looks, lookups int
	s := begin(t, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider { return examining{t, &looks, &lookups} }}, "preview")
	settled(t, s)
	e := s.d.environment("preview")
	s.run(5 * time.Second)
	must(s.platform.Manual("alice").Add(memory.Name{Kind: manifest.KindURL, Physical: "preview-checkout"}, map[string]string{"authType": `"NONE"`}))
	e.hint([]providers.Hint{{Refs: []manifest.Ref{checkout}, Actor: providers.Actor{Known: true, Name: "user/alice", Event: "CreateFunctionUrlConfig", At: s.now()}}})
	s.run(8 * time.Second)
	for _, item := range e.state().Drift {
		if item.Ref.Kind == manifest.KindURL {
			t.Errorf("still open: %+v", item)
		}
	}
	if s.alerts("drift", "resolved") != 1 || looks < 2 {
		t.Errorf("%d resolved after %d looks, want one after two", s.alerts("drift", "resolved"), looks)
	}
	sound(t, s)
}
