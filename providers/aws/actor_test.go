package aws

import (
	"testing"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// TestWhatAnEventExplains: a person is named for what their call can have
// done, not for having been near.
func TestWhatAnEventExplains(t *testing.T) {
	p := &Provider{}
	for _, c := range []struct {
		event, kind, path string
		want              bool
	}{
		{"DeleteSecret", manifest.KindSecret, "scheduledForDeletion", true},
		{"CreateSecret", manifest.KindSecret, "scheduledForDeletion", false},
		{"PutSecretValue", manifest.KindSecret, "scheduledForDeletion", false},
		{"DeleteParameters", manifest.KindParameter, "", true},
		{"PutParameter", manifest.KindParameter, "", false},
		{"UpdateFunctionConfiguration", manifest.KindFunction, "memorySize", true},
		{"UpdateFunctionCode", manifest.KindFunction, "memorySize", false},
		{"PublishVersion", manifest.KindFunction, "versions", true},
		{"TagResource", manifest.KindWorkflow, "definition", false},
		{"UpdateAlias", manifest.KindFunction, "memorySize", false},
	} {
		if got := p.Explains(providers.Actor{Event: c.event}, manifest.Ref{Kind: c.kind, Name: "x"}, c.path); got != c.want {
			t.Errorf("%s explains %s of a %s: %v", c.event, c.path, c.kind, got)
		}
	}
}
