package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// one gives every list of v one element and leaves everything in it zero.
func one(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		one(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			one(v.Field(i))
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte("0"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		inner := v.Index(0)
		if inner.Kind() == reflect.Struct {
			for i := range inner.NumField() {
				if inner.Field(i).Type() == reflect.TypeFor[json.RawMessage]() {
					inner.Field(i).SetBytes([]byte("0"))
				}
			}
		}
	}
}

// A completed input has no null, however little the caller gave, at any depth.
func TestCompleteLeavesNoNull(t *testing.T) {
	full := Input{}
	one(reflect.ValueOf(&full).Elem())
	empty := Input{PromotionFacts: &PromotionFacts{}, RolloutFacts: &RolloutFacts{}, DriftFacts: &DriftFacts{}, NotifyFacts: &NotifyFacts{}}
	for name, in := range map[string]Input{"empty": empty, "one of each": full} {
		text, err := json.Marshal(in.Complete(Promotion))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "null") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// Complete does not write into what it shares with the caller.
func TestCompleteLeavesItsArgumentAlone(t *testing.T) {
	in := Input{Changes: []Change{{}}, Commits: []Commit{{}}, PromotionFacts: &PromotionFacts{Upstream: []Upstream{{}}}}
	in.Complete(Promotion)
	if in.Changes[0].Risk != nil || in.Commits[0].Trailers != nil || in.Upstream[0].Checks != nil || in.Evidence != nil || in.API != "" {
		t.Errorf("%+v", in)
	}
}

func TestFits(t *testing.T) {
	drift := Input{DriftFacts: &DriftFacts{}}
	both := Input{DriftFacts: &DriftFacts{}, NotifyFacts: &NotifyFacts{}}
	for _, c := range []struct {
		in   Input
		p    Point
		want bool
	}{
		{Input{}, Admission, true}, {Input{}, Drift, false}, {drift, Drift, true}, {drift, Admission, false},
		{drift, Notify, false}, {both, Drift, false}, {Input{}, "nowhere", false},
	} {
		if got := c.in.Fits(c.p); got != c.want {
			t.Errorf("%s: %v", c.p, got)
		}
	}
}

// An input survives JSON, its point's part included.
func TestInputRoundTrip(t *testing.T) {
	in := Input{DriftFacts: &DriftFacts{Items: []DriftItem{{ID: "i", Live: json.RawMessage("1"), Declared: json.RawMessage("null")}}}}.Complete(Drift)
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var back Input
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(in, back) || !back.Fits(Drift) {
		t.Errorf("%s", text)
	}
}

// The zero Decision denies.
func TestZeroDecisionDenies(t *testing.T) {
	if (Decision{}).Outcome == Allow || (Decision{}).Advance {
		t.Error("the zero Decision lets something happen")
	}
}
