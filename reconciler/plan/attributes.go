package plan

import (
	"maps"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Attributes are what references to a resource of rel resolve to while spec is
// what is declared of it: what the platform shows; of a Function, the version
// that carries spec, without which references to it stay unbound; and of what
// takes traffic through an alias, that alias's name. The alias need not live:
// it comes when traffic moves, and what names it has to be there before.
func Attributes(rel *manifest.Release, ref manifest.Ref, live providers.Live, spec providers.Spec) map[string]string {
	front := rel.Functions[ref].Alias
	v, carried := providers.Version{}, false
	if ref.Kind == manifest.KindFunction {
		v, carried = Carrier(live, spec)
	}
	if !carried && front == (manifest.Ref{}) {
		return live.Attributes
	}
	with := maps.Clone(live.Attributes)
	if with == nil {
		with = map[string]string{}
	}
	if carried {
		with[manifest.AttributeVersion] = v.Number
	}
	if front != (manifest.Ref{}) {
		with[manifest.AttributeAlias] = strings.TrimPrefix(front.Name, ref.Name+".")
	}
	return with
}
