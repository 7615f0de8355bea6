package manifest

import "reflect"

// allKinds is every kind a repository may declare. A further kind is one file
// that makes a kind, and one line here.
func allKinds() []*kind {
	return []*kind{
		pipelineKind(), environmentKind(), functionKind(), layerKind(), queueKind(), roleKind(), secretKind(), parameterKind(),
		logGroupKind(), alarmKind(), apiKind(),
		workflowKind(),
		topicKind(), ruleKind(), scheduleKind(),
		tableKind(), bucketKind(),
	}
}

var kinds = indexKinds(allKinds())

// kind is what the package knows of one kind of manifest.
type kind struct {
	name    string
	summary string // one sentence, for the reference
	example string // YAML that is valid as it stands
	role    kindRole

	nameRule   rule
	limit      int                      // characters of a physical name; 0: the name is literal
	suffix     func(written any) string // what a physical name must end in
	attributes []string                 // what references may ask for
	stateful   bool                     // holds what cannot be made again
	noSpec     bool                     // the spec may be left out
	expand     func(x *expansion)       // into resources
	include    string                   // the member of the spec that may be {file: …}
	plans      map[reflect.Type]*plan   // of the written spec
	typ        reflect.Type             // the written spec
}

type kindRole uint8

const (
	roleResource kindRole = iota
	roleOverlay           // Environment
	rolePipeline
)

// newKind gives k the written form T.
func newKind[T any](k kind) *kind {
	k.plans, k.typ = plansOf[T](), reflect.TypeFor[T]()
	return &k
}

func indexKinds(list []*kind) map[string]*kind {
	out := make(map[string]*kind, len(list))
	for _, k := range list {
		out[k.name] = k
	}
	return out
}

// kindOrder is the order of the reference.
var kindOrder = namesOf(allKinds())

func namesOf(list []*kind) []string {
	out := make([]string, 0, len(list))
	for _, k := range list {
		out = append(out, k.name)
	}
	return out
}

// KindInfo is a kind's row in the reference.
type KindInfo struct {
	Name    string
	Summary string
	Example string // YAML, valid as it stands
}

// Kinds lists the kinds a repository may declare.
func Kinds() []KindInfo {
	out := make([]KindInfo, 0, len(kinds))
	for _, name := range kindOrder {
		k := kinds[name]
		out = append(out, KindInfo{k.name, k.summary, k.example})
	}
	return out
}
