// Package template reads CloudFormation and SAM templates of serverless
// systems and drafts manifests of them. It is pure. Intrinsic functions are
// worked out as far as the template tells; what is not known without a
// deployment is listed, never guessed. It refuses templates that grow without
// end when they are read.
package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/manifest"
)

// Options say what a template does not.
type Options struct {
	File       string // its name, for messages
	Region     string
	Account    string
	Stack      string            // what AWS::StackName stands for
	Parameters map[string]string // instead of the defaults
}

// Read drafts what a template declares. Errors name file and line.
func Read(data []byte, o Options) (adopt.Found, error) {
	root, err := parse(o.File, data)
	if err != nil {
		return adopt.Found{}, err
	}
	resources, ok := root["Resources"].(map[string]any)
	if !ok || len(resources) == 0 {
		return adopt.Found{}, fmt.Errorf("%s: declares no Resources: it is no template of CloudFormation or SAM", o.File)
	}
	r := &reader{o: o, resources: map[string]resource{}, drafts: map[string]*manifest.Draft{}}
	r.resolver = newResolver(root, o)
	r.globals, _ = root["Globals"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		r.take(id, resources[id])
	}
	for _, pass := range [][]string{passMade, passAlias, passAround} {
		for _, id := range slices.Sorted(maps.Keys(r.resources)) {
			if slices.Contains(pass, r.resources[id].kind) {
				readers[r.resources[id].kind](r, id, r.resources[id].properties)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.drafts)) {
		slices.Sort(r.drafts[id].Left)
		r.found.Drafts = append(r.found.Drafts, *r.drafts[id])
	}
	return r.found, nil
}

// Function drafts a function by the members of CreateFunction, which
// CloudFormation and other tools share. A value that is not known is written
// {Unknown: why}.
func Function(id string, members map[string]any, o Options) adopt.Found {
	r := &reader{o: o, resources: map[string]resource{}, drafts: map[string]*manifest.Draft{}}
	r.resolver = newResolver(nil, o)
	d := r.base(id, members)
	slices.Sort(d.Left)
	r.found.Drafts = append(r.found.Drafts, *d)
	return r.found
}

// Parse reads YAML or JSON within the limits of a template.
func Parse(file string, data []byte) (map[string]any, error) { return parse(file, data) }

// resource is one of the template's, as far as it is worked out.
type resource struct {
	kind       string
	properties map[string]any
}

type reader struct {
	o         Options
	resolver  *resolver
	globals   map[string]any
	resources map[string]resource
	drafts    map[string]*manifest.Draft // by logical id
	found     adopt.Found
}

// Resources are read in this order: what stands by itself, then aliases, then
// what stands on functions.
var (
	passMade   = []string{"AWS::Serverless::Function", "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::IAM::Role", "AWS::SNS::Topic"}
	passAlias  = []string{"AWS::Lambda::Alias"}
	passAround = []string{"AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission", "AWS::Lambda::Url", "AWS::Lambda::EventInvokeConfig"}
)

var readers = map[string]func(*reader, string, map[string]any){
	"AWS::Serverless::Function": (*reader).samFunction, "AWS::Lambda::Function": (*reader).function,
	"AWS::SQS::Queue": (*reader).queue, "AWS::IAM::Role": (*reader).role, "AWS::SNS::Topic": (*reader).topic,
	"AWS::Lambda::Alias": (*reader).alias, "AWS::Lambda::EventSourceMapping": (*reader).mapping,
	"AWS::Lambda::Permission": (*reader).permission, "AWS::Lambda::Url": (*reader).url, "AWS::Lambda::EventInvokeConfig": (*reader).async,
}

// silent resources have no manifest of their own: something else stands for
// them here.
var silent = map[string]string{
	"AWS::Lambda::Version": "releases publish versions",
}

// take works out one resource, or lists why it is not taken.
func (r *reader) take(id string, x any) {
	body, ok := x.(map[string]any)
	if !ok {
		r.skip(id, "", "is no resource")
		return
	}
	kind, _ := body["Type"].(string)
	switch why, known := silent[kind]; {
	case known:
		r.skip(id, kind, why)
		return
	case readers[kind] == nil:
		r.skip(id, kind, "no manifest is made of this type")
		return
	}
	if condition, ok := body["Condition"].(string); ok {
		yes, known := r.resolver.condition(condition, nil)
		if known && !yes {
			r.skip(id, kind, "its condition "+condition+" is false")
			return
		}
		if !known {
			r.found.Left = append(r.found.Left, adopt.Left{Resource: id, What: "whether its condition " + condition + " holds is not known; it is taken"})
		}
	}
	properties, _ := body["Properties"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
	}
	r.resources[id] = resource{kind, properties}
}

func (r *reader) skip(id, kind, why string) {
	r.found.Skipped = append(r.found.Skipped, adopt.Skipped{Kind: kind, Name: id, Why: why})
}

// start begins the draft of a resource. Its addresses stand for it until
// references take their place.
func (r *reader) start(id, kind, physical string) *manifest.Draft {
	d := &manifest.Draft{Kind: kind, Name: id, Physical: physical, Adopt: physical != "", Group: r.o.Stack, Spec: map[string]any{}, Addresses: map[string]string{}}
	for _, attribute := range []string{"arn", "url", "name"} {
		d.Addresses[attribute] = addressOf(kind, id, attribute)
	}
	r.drafts[id] = d
	return d
}

// addressOf is what stands for an attribute of a resource of the template. It
// has the form of an ARN, so that a manifest may hold it until it is replaced.
func addressOf(kind, id, attribute string) string {
	switch {
	case kind == manifest.KindRole && attribute == "arn":
		return adopt.Placeholder + "iam::000000000000:role/" + id
	case attribute == "arn":
		return adopt.Placeholder + strings.ToLower(kind) + ":::" + id
	}
	return adopt.Placeholder + strings.ToLower(kind) + ":::" + id + "." + attribute
}

// kinds of manifests that resource types become.
var kinds = map[string]string{
	"AWS::Serverless::Function": manifest.KindFunction, "AWS::Lambda::Function": manifest.KindFunction,
	"AWS::SQS::Queue": manifest.KindQueue, "AWS::IAM::Role": manifest.KindRole, "AWS::SNS::Topic": manifest.KindTopic,
}

// value works a property out. What cannot be known is noted, by the path of
// the property, and is nil.
func (r *reader) value(d *manifest.Draft, path string, x any) any {
	out, problems := r.resolver.resolve(x)
	for _, p := range problems {
		d.Leave("%s%s: %s", path, p.path, p.why)
	}
	return out
}

func (r *reader) text(d *manifest.Draft, path string, x any) string {
	switch v := r.value(d, path, x).(type) {
	case string:
		return v
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}
