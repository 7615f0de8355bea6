package manifest

import (
	"maps"
	"slices"
	"strings"
)

const kindContract = "Contract"

var contractPlans = plansOf[Expects]()

// ParseContract reads the contract shipped inside an artifact: a document
// with apiVersion mooring.dev/v1, kind Contract, and what the code expects as
// its spec. An error is Faults.
func ParseContract(data []byte) (Expects, error) {
	raws, faults := parseFile(ContractFile, data)
	if len(faults) > 0 {
		return Expects{}, faults.sorted()
	}
	file := Position{File: ContractFile}
	if len(raws) != 1 || raws[0].kind != kindContract {
		return Expects{}, Faults{{Position: file, Message: "holds no contract", Hint: "one document: apiVersion: " + APIVersion + ", kind: Contract, spec: {environment: [NAME]}"}}
	}
	d := &decoder{values: &values{}, literal: true, plans: contractPlans}
	for _, e := range raws[0].root.entries {
		if !slices.Contains(documentFields, e.key) {
			d.fault(e.pos(), "unknown field "+quote(e.key), didYouMean(e.key, documentFields))
		}
	}
	var out Expects
	if spec := raws[0].root.get("spec"); spec != nil {
		d.push("spec")
		d.into(spec, &out)
		d.pop()
	}
	if err := append(d.faults, d.missing...).sorted(); err != nil {
		return Expects{}, err
	}
	return out.normal(), nil
}

// normal is sorted, each name once.
func (e Expects) normal() Expects {
	return Expects{
		Environment: sortedUnique(e.Environment), Queues: sortedUnique(e.Queues), Secrets: sortedUnique(e.Secrets),
		Parameters: sortedUnique(e.Parameters), Topics: sortedUnique(e.Topics), Tables: sortedUnique(e.Tables),
		Buckets: sortedUnique(e.Buckets), Workflows: sortedUnique(e.Workflows), Permissions: sortedUnique(e.Permissions),
	}
}

// Expected is a resource that a function's code relies on.
type Expected struct {
	What string // queue | secret | parameter | topic | table | bucket | workflow | permission
	Name string // as the contract has it, without its kind
	Ref  Ref
}

// Resources are what the code of a function expects beside its environment.
func (e Expects) Resources(fn Ref) []Expected {
	var out []Expected
	for _, want := range []struct {
		what, kind string
		names      []string
	}{
		{"queue", KindQueue, e.Queues},
		{"secret", KindSecret, e.Secrets},
		{"parameter", KindParameter, e.Parameters},
		{"topic", KindTopic, e.Topics},
		{"table", KindTable, e.Tables},
		{"bucket", KindBucket, e.Buckets},
		{"workflow", KindWorkflow, e.Workflows},
	} {
		for _, name := range want.names {
			name = strings.TrimPrefix(name, want.kind+"/")
			out = append(out, Expected{want.what, name, Ref{want.kind, name}})
		}
	}
	for _, sid := range e.Permissions {
		out = append(out, Expected{"permission", sid, Ref{KindPermission, fn.Name + "." + sid}})
	}
	return out
}

// MergeExpects is everything that any of the contracts expects.
func MergeExpects(all ...Expects) Expects {
	var out Expects
	for _, e := range all {
		out.Environment = append(out.Environment, e.Environment...)
		out.Queues = append(out.Queues, e.Queues...)
		out.Secrets = append(out.Secrets, e.Secrets...)
		out.Parameters = append(out.Parameters, e.Parameters...)
		out.Topics = append(out.Topics, e.Topics...)
		out.Tables = append(out.Tables, e.Tables...)
		out.Buckets = append(out.Buckets, e.Buckets...)
		out.Workflows = append(out.Workflows, e.Workflows...)
		out.Permissions = append(out.Permissions, e.Permissions...)
	}
	return out.normal()
}

// Broken is an expectation of a function's code that a release does not meet.
type Broken struct {
	Function Ref    `json:"function"`
	What     string `json:"what"` // environment, or an Expected's
	Name     string `json:"name"`
	Why      string `json:"why"`
}

// CheckContract holds what functions expect against what the release
// declares. It looks at the release only; what lives is for the reconciler.
func CheckContract(rel *Release) []Broken {
	resources := make(map[Ref]Resource, len(rel.Resources))
	for _, res := range rel.Resources {
		resources[res.Ref] = res
	}
	var out []Broken
	for _, fn := range slices.SortedFunc(maps.Keys(rel.Functions), Ref.Compare) {
		out = append(out, checkExpects(resources, fn, rel.Functions[fn].Expects)...)
	}
	return out
}

func checkExpects(resources map[Ref]Resource, fn Ref, expects Expects) []Broken {
	var out []Broken
	config, _ := resources[fn].Spec.(*FunctionConfig)
	for _, name := range expects.Environment {
		if config == nil {
			break
		}
		if _, found := config.Environment[name]; !found {
			out = append(out, Broken{fn, "environment", name, "the function's environment does not set it"})
		}
	}
	for _, want := range expects.Resources(fn) {
		if _, found := resources[want.Ref]; !found && !byARN(resources, fn, want.Ref.Kind, want.Name) {
			out = append(out, Broken{fn, want.What, want.Name, "no " + want.Ref.String() + " is declared"})
		} else if why := disabled(resources, fn, want.Ref.Kind, want.Name); why != "" {
			out = append(out, Broken{fn, want.What, want.Name, why})
		}
	}
	return out
}

// byARN tells of a queue of that name that triggers the function and is not
// declared here, but named by its ARN.
func byARN(resources map[Ref]Resource, fn Ref, kind, name string) bool {
	for _, res := range resources {
		t, ok := res.Spec.(*TriggerSpec)
		if ok && kind == KindQueue && res.Parent == fn && strings.HasSuffix(t.Queue.Literal, ":"+name) {
			return true
		}
	}
	return false
}

// disabled tells of a queue that is expected, and whose only mapping onto
// the function is switched off.
func disabled(resources map[Ref]Resource, fn Ref, kind, name string) string {
	if kind != KindQueue {
		return ""
	}
	var off string
	for ref, res := range resources {
		t, ok := res.Spec.(*TriggerSpec)
		if !ok || res.Parent != fn || t.Queue.Ref != (Ref{kind, name}) && !strings.HasSuffix(t.Queue.Literal, ":"+name) {
			continue
		}
		if t.Enabled {
			return ""
		}
		off = ref.String() + " is not enabled"
	}
	return off
}
