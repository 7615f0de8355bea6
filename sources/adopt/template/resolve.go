package template

import (
	"fmt"
	"strconv"
	"strings"

	"mooring.dev/sources/adopt"
)

// problem is a part of a value that is not known.
type problem struct{ path, why string }

// resolver works intrinsic functions out.
type resolver struct {
	o          Options
	parameters map[string]any // values; missing ones are not known
	hidden     map[string]bool
	declared   map[string]bool
	mappings   map[string]any
	conditions map[string]any
	types      map[string]string // of resources, by logical id
	literals   map[string]string // what addresses will be, where names are given
	steps      int
	bytes      int // of text made
}

// What one template may ask to be worked out.
const (
	maxSteps = 500_000
	maxText  = 8 << 20
)

// grown notes text that was made; true when it is more than is worked out.
func (r *resolver) grown(n int) bool {
	r.bytes += n
	return r.bytes > maxText
}

func newResolver(root map[string]any, o Options) *resolver {
	r := &resolver{o: o, parameters: map[string]any{}, hidden: map[string]bool{}, declared: map[string]bool{}, types: map[string]string{}, literals: map[string]string{}}
	parameters, _ := root["Parameters"].(map[string]any)
	for name, x := range parameters {
		p, _ := x.(map[string]any)
		r.declared[name] = true
		r.hidden[name] = fmt.Sprint(p["NoEcho"]) == "true"
		if value, given := o.Parameters[name]; given {
			r.parameters[name] = list(p["Type"], value)
		} else if value, there := p["Default"]; there && !strings.HasPrefix(fmt.Sprint(p["Type"]), "AWS::SSM::Parameter") {
			r.parameters[name] = list(p["Type"], value)
		}
	}
	r.mappings, _ = root["Mappings"].(map[string]any)
	r.conditions, _ = root["Conditions"].(map[string]any)
	resources, _ := root["Resources"].(map[string]any)
	for id, x := range resources {
		body, _ := x.(map[string]any)
		r.types[id], _ = body["Type"].(string)
	}
	return r
}

// list reads a parameter of a list type.
func list(kind, value any) any {
	text, isText := value.(string)
	if !isText || fmt.Sprint(kind) != "CommaDelimitedList" && !strings.HasPrefix(fmt.Sprint(kind), "List<") {
		return value
	}
	var out []any
	for _, item := range strings.Split(text, ",") {
		out = append(out, strings.TrimSpace(item))
	}
	return out
}

// unknown is a value nobody knows before a deployment.
type unknown struct {
	why    string
	secret string // it is a secret of this name
}

// absent is AWS::NoValue.
type absent struct{}

// null is a null that says something, in a document of another language.
type null struct{}

// resolve works x out. What is not known is left out, and named.
func (r *resolver) resolve(x any) (any, []problem) {
	var problems []problem
	value := clean(r.eval(x, 0), "", &problems)
	return value, problems
}

// clean takes out what is not known.
func clean(x any, path string, problems *[]problem) any {
	switch x := x.(type) {
	case unknown:
		*problems = append(*problems, problem{path, x.why})
		return nil
	case absent:
		return nil
	case map[string]any:
		out := make(map[string]any, len(x))
		for key, item := range x {
			if item == (null{}) {
				out[key] = nil
			} else if v := clean(item, path+"."+key, problems); v != nil {
				out[key] = v
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(x))
		for i, item := range x {
			if item == (null{}) {
				out = append(out, nil)
			} else if v := clean(item, path+"["+strconv.Itoa(i)+"]", problems); v != nil {
				out = append(out, v)
			}
		}
		return out
	}
	return x
}

// eval works one value out; parts may be unknown.
func (r *resolver) eval(x any, depth int) any {
	if r.steps++; r.steps > maxSteps || depth > maxDepth {
		return unknown{why: "is more than is worked out"}
	}
	switch x := x.(type) {
	case []any:
		out := make([]any, 0, len(x))
		for _, item := range x {
			if v := r.eval(item, depth+1); v != (absent{}) {
				out = append(out, v)
			}
		}
		return out
	case string:
		return dynamic(x)
	case map[string]any:
		if len(x) == 1 {
			for name, argument := range x {
				if v, is := r.intrinsic(name, argument, depth+1); is {
					return v
				}
			}
		}
		out := make(map[string]any, len(x))
		for key, item := range x {
			if v := r.eval(item, depth+1); v != (absent{}) {
				out[key] = v
			}
		}
		return out
	}
	return x
}

// Unknown is a function of ours: {Unknown: why} is a value that is not known.
const Unknown = "Mooring::Unknown"

// intrinsic works an intrinsic function out; is is false for what is none.
func (r *resolver) intrinsic(name string, x any, depth int) (value any, is bool) {
	switch name {
	case "Ref":
		return r.ref(x), true
	case "Fn::GetAtt":
		return r.getAtt(x, depth), true
	case "Fn::Sub":
		return r.sub(x, depth), true
	case "Fn::Join":
		return r.join(x, depth), true
	case "Fn::Split":
		return r.split(x, depth), true
	case "Fn::Select":
		return r.pick(x, depth), true
	case "Fn::FindInMap":
		return r.findInMap(x, depth), true
	case "Fn::If":
		return r.choose(x, depth), true
	case "Fn::Base64":
		return r.base64(x, depth), true
	case "Fn::Length":
		return r.length(x, depth), true
	case "Fn::ToJsonString":
		return r.jsonText(x, depth), true
	case "Fn::Transform":
		m, _ := x.(map[string]any)
		return unknown{why: fmt.Sprintf("is made by the macro %v (Fn::Transform) when it is deployed", m["Name"])}, true
	case "Fn::ImportValue":
		text, _ := plain(r.eval(x, depth))
		return unknown{why: "is imported from another stack as " + text}, true
	}
	if name == Unknown {
		return unknown{why: fmt.Sprint(x)}, true
	}
	if strings.HasPrefix(name, "Fn::") {
		return unknown{why: name + " is not worked out here"}, true
	}
	return nil, false
}

// adoptPlaceholder begins the addresses of resources of the template.
const adoptPlaceholder = adopt.Placeholder

// isAddress: the text stands for a resource of the template.
func isAddress(text string) bool {
	return strings.HasPrefix(text, adoptPlaceholder) || strings.HasPrefix(text, aliasAddress) || strings.HasPrefix(text, innerAddress)
}
