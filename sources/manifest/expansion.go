package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// settings is what an environment gives to every expansion.
type settings struct {
	environment string
	pipeline    string
	naming      string
	account     string // "" when it is not declared
	rollout     Rollout
	id          string // digest of all of it
}

// expansion turns one document into resources.
type expansion struct {
	doc      *document
	meta     metadata
	written  any
	settings *settings

	physical  string
	resources []Resource
	function  Ref // of a Function
	delivery  Delivery
	filled    int    // bytes, about, that values and patches added
	sum       string // digest of all of it, for the release's
	uses      []use
	faults    Faults
}

// fault reports something about the document's metadata.
func (x *expansion) fault(field, message, hint string) {
	at := x.doc.position()
	if n := x.doc.root.get("metadata").get(field); n != nil {
		at = n.pos()
	}
	x.faults = append(x.faults, Fault{at, "metadata." + field, message, hint})
}

// top adds the resource the document is.
func (x *expansion) top(spec any, refs []Ref) {
	x.add(Resource{
		Ref: x.doc.ref, RenamedFrom: x.renamedFrom(), Labels: x.meta.Labels,
		Spec: spec, Stateful: x.doc.kind.stateful,
	}, refs)
}

// renamedFrom is the Ref text of the resource's former name, which may be
// written with its kind or without.
func (x *expansion) renamedFrom() string {
	from := x.meta.RenamedFrom
	if from == "" {
		return ""
	}
	from = x.doc.ref.Kind + "/" + strings.TrimPrefix(from, x.doc.ref.Kind+"/")
	if from == x.doc.ref.String() {
		x.fault("renamedFrom", "is the name it has", "leave it out")
	}
	return from
}

// child adds a resource that belongs to the document's.
func (x *expansion) child(ref Ref, key string, spec any, refs []Ref) {
	x.add(Resource{Ref: ref, Parent: x.doc.ref, Key: key, Labels: x.meta.Labels, Spec: spec}, refs)
}

// named adds a child that has a physical name of its own: the parent's and its
// key, cut to limit characters.
func (x *expansion) named(ref Ref, key string, limit int, spec any, refs []Ref) {
	x.add(Resource{
		Ref: ref, Parent: x.doc.ref, Key: key, Labels: x.meta.Labels, Spec: spec, Physical: cut(x.physical+"-"+key, limit),
	}, refs)
}

func (x *expansion) add(res Resource, refs []Ref) {
	slices.SortFunc(refs, Ref.Compare)
	res.Refs = slices.Compact(refs)
	if res.Physical == "" {
		res.Physical = x.physical
	}
	res.Adopt, res.Origin = res.Adopt || x.meta.Adopt, x.doc.position()
	if f, ok := res.Spec.(*FunctionConfig); ok {
		res.SelfBound = f.selfBound()
	}
	res.Digest = digest(Normal(res))
	x.resources = append(x.resources, res)
}

// name renders the physical name: declared, literal, or by the naming of the
// pipeline, cut to what the platform allows.
func (x *expansion) name() {
	k := x.doc.kind
	suffix := ""
	if k.suffix != nil {
		suffix = k.suffix(x.written)
	}
	switch {
	case x.meta.PhysicalName != "":
		x.physical = x.meta.PhysicalName
		if k.limit > 0 && len(x.physical) > k.limit {
			x.fault("physicalName", "is "+itoa(len(x.physical))+" characters long", "at most "+itoa(k.limit))
		}
		if !k.nameRule.match.re.MatchString(x.physical) {
			x.fault("physicalName", "cannot be "+quote(x.physical), "want "+k.nameRule.match.want)
		}
		if !strings.HasSuffix(x.physical, suffix) {
			x.fault("physicalName", "must end in "+suffix, "")
		}
		return
	case k.limit == 0:
		x.physical = x.meta.Name
		return
	}
	name := strings.NewReplacer("${environment}", x.settings.environment, "${pipeline}", x.settings.pipeline,
		"${name}", strings.TrimSuffix(x.meta.Name, suffix)).Replace(x.settings.naming)
	x.physical = cut(name, k.limit-len(suffix)) + suffix
}

// cut shortens a name to most characters; what was cut shows as a hash, so
// that two long names stay two.
func cut(name string, most int) string {
	if len(name) <= most {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return name[:most-9] + "-" + hex.EncodeToString(sum[:4])
}

// seal makes the digest of what the document came to.
func (x *expansion) seal() {
	var b []byte
	for _, res := range x.resources {
		b = appendCanonical(b, []any{res.Ref.String(), res.Digest, res.Physical, res.RenamedFrom, res.Adopt})
		b = appendCanonical(b, res.Labels)
		b = append(b, '\n')
	}
	if x.function != (Ref{}) {
		b = appendCanonical(b, x.delivery)
	}
	x.sum = digest(b)
}

func arnService(arn string) string {
	parts := strings.SplitN(arn, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}
