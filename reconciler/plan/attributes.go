package plan

import (
	"maps"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Attributes are what references to a resource of rel resolve to while spec is
// what is declared of it: what the platform shows; of a Function or a Layer,
// the version that carries spec, without which references to it stay unbound; and of what
// takes traffic through an alias, that alias's name. The alias need not live:
// it comes when traffic moves, and what names it has to be there before.
func Attributes(rel *manifest.Release, ref manifest.Ref, live providers.Live, spec providers.Spec) map[string]string {
	if traitsOf(ref.Kind).published {
		return layerAttributes(live, spec)
	}
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

// Speaks is true of the kinds whose Attributes are not simply what the platform
// shows.
func Speaks(kind string) bool { return manifest.Versioned(kind) || traitsOf(kind).published }

// layerAttributes name the version that carries spec. Without one nothing is
// named: functions wait for it, and are not pinned to another.
func layerAttributes(live providers.Live, spec providers.Spec) map[string]string {
	with := maps.Clone(live.Attributes)
	if with == nil {
		with = map[string]string{}
	}
	if v, ok := Carrier(live, spec); ok {
		with["arn"] += ":" + v.Number
	} else {
		delete(with, "arn")
	}
	return with
}

// carrying is a published kind as its version that carries spec shows it. Where
// none does, it is as the newest one shows it: another is made.
func carrying(live providers.Live, spec providers.Spec) providers.Live {
	v, ok := Carrier(live, spec)
	if !ok {
		return live
	}
	fields := maps.Clone(v.Fields)
	if fields == nil {
		fields = map[string]string{}
		live.Unseen = maps.Clone(live.Unseen)
		if live.Unseen == nil {
			live.Unseen = map[string]string{}
		}
		live.Unseen[pathPermissions] = "not looked at yet"
	}
	for path, value := range spec.Fields {
		if member(path) != pathPermissions {
			fields[path] = value // its snapshot says so
		}
	}
	live.Spec = providers.Spec{Fields: fields, Snapshot: v.Snapshot}
	return live
}

// pathPermissions is what can be changed of a layer's version.
const pathPermissions = "permissions"
