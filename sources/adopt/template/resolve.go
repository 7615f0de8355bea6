package template

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/manifest"
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
	r := &resolver{o: o, parameters: map[string]any{}, hidden: map[string]bool{}, declared: map[string]bool{}, types: map[string]string{}}
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
			if v := clean(item, path+"."+key, problems); v != nil {
				out[key] = v
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(x))
		for i, item := range x {
			if v := clean(item, path+"["+strconv.Itoa(i)+"]", problems); v != nil {
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

var dynamicReference = regexp.MustCompile(`\{\{resolve:(ssm|ssm-secure|secretsmanager):([^:}]+(?::[^}]*)?)\}\}`)

// dynamic finds references that a deployment resolves into a value.
func dynamic(text string) any {
	m := dynamicReference.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	name, _, _ := strings.Cut(m[2], ":")
	if m[1] == "ssm" {
		return unknown{why: "is parameter " + name + ", whose value a deployment writes in"}
	}
	if strings.HasPrefix(m[2], "arn:") {
		name = m[2]
		if parts := strings.Split(m[2], ":"); len(parts) > 6 {
			name = parts[6]
		}
	}
	return unknown{why: "is secret " + name + ", whose value a deployment writes in", secret: strings.TrimPrefix(name, "/")}
}

func (r *resolver) ref(x any) any {
	name, _ := x.(string)
	switch name {
	case "AWS::NoValue":
		return absent{}
	case "AWS::Region":
		return known(r.o.Region, "the region")
	case "AWS::AccountId":
		return known(r.o.Account, "the account")
	case "AWS::StackName":
		return known(r.o.Stack, "the name of the stack")
	case "AWS::Partition":
		return "aws"
	case "AWS::URLSuffix":
		return "amazonaws.com"
	}
	switch kind := kinds[r.types[name]]; {
	case r.hidden[name]:
		return unknown{why: "is parameter " + name + ", which is a secret", secret: strings.ToLower(name)}
	case r.declared[name]:
		if value, ok := r.parameters[name]; ok {
			return value
		}
		return unknown{why: "is parameter " + name + ", which has no default"}
	case kind == manifest.KindQueue:
		return addressOf(kind, name, "url")
	case kind == manifest.KindTopic:
		return addressOf(kind, name, "arn")
	case kind != "":
		return addressOf(kind, name, "name")
	case r.types[name] == "AWS::Lambda::Alias": // its ARN
		return aliasAddress + name
	case r.types[name] != "":
		return unknown{why: "names " + name + " (" + r.types[name] + "), of which no manifest is made"}
	}
	return unknown{why: fmt.Sprintf("refers to %q, which the template does not have", name)}
}

func known(value, what string) any {
	if value == "" {
		return unknown{why: what + " is not known from the template"}
	}
	return value
}

func (r *resolver) getAtt(x any, depth int) any {
	var id, attribute string
	switch x := x.(type) {
	case string:
		id, attribute, _ = strings.Cut(x, ".")
	case []any:
		if len(x) == 2 {
			id, _ = x[0].(string)
			attribute, _ = r.eval(x[1], depth).(string)
		}
	}
	kind := kinds[r.types[id]]
	switch {
	case kind != "" && (attribute == "Arn" || attribute == "TopicArn"):
		return addressOf(kind, id, "arn")
	case r.types[id] == "AWS::Lambda::Alias" && attribute == "AliasArn":
		return aliasAddress + id
	case kind != "" && (attribute == "QueueName" || attribute == "TopicName"):
		return addressOf(kind, id, "name")
	case kind == manifest.KindQueue && attribute == "QueueUrl":
		return addressOf(kind, id, "url")
	case r.types[id] != "":
		return unknown{why: "names " + attribute + " of " + id + " (" + r.types[id] + "), which is not known before a deployment"}
	}
	return unknown{why: fmt.Sprintf("refers to %q, which the template does not have", id)}
}

var placeholder = regexp.MustCompile(`\$\{(!?)([^}]+)\}`)

// sub fills ${names} in. What is a placeholder alone takes its value whole.
func (r *resolver) sub(x any, depth int) any {
	text, own := "", map[string]any{}
	switch x := x.(type) {
	case string:
		text = x
	case []any:
		if len(x) == 2 {
			text, _ = x[0].(string)
			own, _ = x[1].(map[string]any)
		}
	}
	lookup := func(name string) any {
		if v, ok := own[name]; ok {
			return r.eval(v, depth)
		}
		if id, attribute, ok := strings.Cut(name, "."); ok {
			return r.getAtt([]any{id, attribute}, depth)
		}
		return r.ref(name)
	}
	if m := placeholder.FindStringSubmatch(text); m != nil && m[0] == text && m[1] == "" {
		return lookup(m[2])
	}
	var missing any
	out := placeholder.ReplaceAllStringFunc(text, func(at string) string {
		m := placeholder.FindStringSubmatch(at)
		if m[1] == "!" {
			return "${" + m[2] + "}"
		}
		if missing != nil {
			return ""
		}
		part, why := plain(lookup(m[2]))
		if why == nil && r.grown(len(part)) {
			why = unknown{why: "is more than is worked out"}
		}
		if why != nil {
			missing = why
			return ""
		}
		return part
	})
	if missing != nil {
		return missing
	}
	return dynamic(out)
}

// plain is a value as a part of a longer text; why is set when it cannot be.
func plain(x any) (text string, why any) {
	switch x := x.(type) {
	case unknown:
		return "", x
	case absent, nil, map[string]any, []any:
		return "", unknown{why: "joins what is no text"}
	case string:
		if isAddress(x) {
			return "", unknown{why: "is a text with an address in it that is not known before a deployment"}
		}
		return x, nil
	}
	return fmt.Sprint(x), nil
}

func (r *resolver) join(x any, depth int) any {
	pair, _ := x.([]any)
	if len(pair) != 2 {
		return unknown{why: "is no Fn::Join"}
	}
	separator, _ := pair[0].(string)
	items, ok := r.eval(pair[1], depth).([]any)
	if !ok {
		return unknown{why: "joins what is not known"}
	}
	var parts []string
	for _, item := range items {
		text, why := plain(item)
		if why != nil {
			if len(items) == 1 {
				return item
			}
			return why
		}
		if r.grown(len(text) + len(separator)) {
			return unknown{why: "is more than is worked out"}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, separator)
}

func (r *resolver) split(x any, depth int) any {
	pair, _ := x.([]any)
	if len(pair) != 2 {
		return unknown{why: "is no Fn::Split"}
	}
	separator, _ := pair[0].(string)
	text, why := plain(r.eval(pair[1], depth))
	if why != nil || separator == "" {
		return unknown{why: "splits what is not known"}
	}
	var out []any
	for _, part := range strings.Split(text, separator) {
		out = append(out, part)
	}
	return out
}

func (r *resolver) pick(x any, depth int) any {
	pair, _ := x.([]any)
	if len(pair) != 2 {
		return unknown{why: "is no Fn::Select"}
	}
	index, err := strconv.Atoi(fmt.Sprint(r.eval(pair[0], depth)))
	items, ok := r.eval(pair[1], depth).([]any)
	if err != nil || !ok || index < 0 || index >= len(items) {
		return unknown{why: "selects from what is not known"}
	}
	return items[index]
}

func (r *resolver) findInMap(x any, depth int) any {
	keys, _ := x.([]any)
	if len(keys) < 3 {
		return unknown{why: "is no Fn::FindInMap"}
	}
	var at any = r.mappings
	for _, key := range keys[:3] {
		text, why := plain(r.eval(key, depth))
		if why != nil {
			return unknown{why: "looks up what is not known: " + why.(unknown).why}
		}
		m, _ := at.(map[string]any)
		next, ok := m[text]
		if !ok {
			return unknown{why: fmt.Sprintf("looks up %q, which the mapping does not have", text)}
		}
		at = next
	}
	return at
}

// isAddress: the text stands for a resource of the template.
func isAddress(text string) bool {
	return strings.HasPrefix(text, adopt.Placeholder) || strings.HasPrefix(text, aliasAddress)
}
