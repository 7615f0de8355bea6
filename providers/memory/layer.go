package memory

import (
	"reflect"
	"strconv"
	"strings"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// layer flattens a layer: what a version is made of, and who may use it.
func (f *flattener) layer(spec *manifest.LayerSpec) error {
	f.fields["code"] = quote(codeOf(spec.Artifact))
	rest := *spec
	rest.Artifact, rest.Permissions = manifest.Artifact{}, nil
	if err := f.members("", reflect.ValueOf(rest)); err != nil {
		return err
	}
	for sid, p := range spec.Permissions {
		if err := f.set(KeyPath("permissions", sid), p, false); err != nil {
			return err
		}
	}
	return nil
}

// ofUse are fields of a layer that its versions are not made of.
func ofUse(path string) bool { return strings.HasPrefix(path, "permissions") }

// publishLayer makes a version of a layer whose content is not any of them.
func (p *Platform) publishLayer(t *thing) {
	snapshot := specOf(manifest.KindLayer, t.fields, nil).Snapshot
	for _, v := range t.versions {
		if v.snapshot == snapshot {
			return
		}
	}
	t.last++
	number := strconv.Itoa(t.last)
	t.versions[number] = published{number: number, snapshot: snapshot, code: t.fields["code"], ready: p.o.Now()}
}

// layerVersions are a layer's versions, each with who may use it.
func layerVersions(t *thing) map[string]providers.Version {
	use := map[string]string{}
	for path, value := range t.fields {
		if ofUse(path) {
			use[path] = value
		}
	}
	out := map[string]providers.Version{}
	for number, v := range t.versions {
		out[number] = providers.Version{Number: number, Snapshot: v.snapshot, Ready: true, Fields: use}
	}
	return out
}
