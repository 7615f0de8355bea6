package plan

import (
	"maps"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Attributes are what references to a resource resolve to while spec is what
// is declared of it: what the platform shows and, of a Function, the version
// that carries spec. Without such a version references to it stay unbound.
func Attributes(ref manifest.Ref, live providers.Live, spec providers.Spec) map[string]string {
	if ref.Kind != manifest.KindFunction {
		return live.Attributes
	}
	v, ok := Carrier(live, spec)
	if !ok {
		return live.Attributes
	}
	with := maps.Clone(live.Attributes)
	if with == nil {
		with = map[string]string{}
	}
	with[manifest.AttributeVersion] = v.Number
	return with
}
