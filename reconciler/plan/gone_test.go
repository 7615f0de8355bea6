package plan

import (
	"testing"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// A function that somebody deleted has no version to go back to; one that
// could not be seen may have.
func TestChangingOfAFunctionThatIsGone(t *testing.T) {
	fn := manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	alias := manifest.Ref{Kind: manifest.KindAlias, Name: "checkout.live"}
	for want, inv := range map[string]providers.Inventory{
		"":  {Complete: true},
		"1": {Complete: false},
	} {
		got := Changing(Input{
			Target:    &manifest.Release{Functions: map[manifest.Ref]manifest.Delivery{fn: {Alias: alias}}},
			Applied:   map[manifest.Ref]record.Fact{alias: {Ref: alias, Version: "1"}},
			Inventory: inv,
		})
		if len(got) != 1 || got[0].Stable != want {
			t.Errorf("complete %v: %+v, want stable %q", inv.Complete, got, want)
		}
	}
}
