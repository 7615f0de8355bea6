// Package template reads CloudFormation and SAM templates of serverless
// systems and drafts manifests of them. It is pure. Intrinsic functions are
// worked out as far as the template tells; what is not known without a
// deployment is listed, never guessed. It refuses templates that grow without
// end when they are read.
package template

import (
	"fmt"
	"io/fs"
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
	Tree       fs.FS             // the folder the template is in, for the files it names; nil for none
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
	r := newReader(root, o)
	r.globals, _ = root["Globals"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		r.take(id, resources[id])
	}
	r.name()
	for _, pass := range [][]string{passMade, passAlias, passAround} {
		for _, id := range slices.Sorted(maps.Keys(r.resources)) {
			if slices.Contains(pass, r.resources[id].kind) {
				readers[r.resources[id].kind](r, id, r.resources[id].properties)
			}
		}
	}
	r.events()
	r.settle()
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
	r := newReader(nil, o)
	r.resources[id] = resource{"AWS::Lambda::Function", members}
	d := r.base(id, members)
	r.events()
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

func newReader(root map[string]any, o Options) *reader {
	return &reader{o: o, resolver: newResolver(root, o), resources: map[string]resource{}, drafts: map[string]*manifest.Draft{}, staged: map[string]string{}}
}

type reader struct {
	o         Options
	resolver  *resolver
	globals   map[string]any
	resources map[string]resource
	drafts    map[string]*manifest.Draft // by logical id
	late      []func()                   // what names other resources, and waits for them
	waiting   []samEvents                // events of SAM, read when everything else is
	staged    map[string]string          // the stage of each API, by logical ids
	found     adopt.Found
}

// Resources are read in this order: what stands by itself, then aliases, then
// what stands on others.
var (
	passMade = []string{
		"AWS::Serverless::Function", "AWS::Lambda::Function", "AWS::SQS::Queue", "AWS::IAM::Role", "AWS::SNS::Topic", "AWS::DynamoDB::Table",
		"AWS::Serverless::SimpleTable", "AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm", "AWS::Lambda::LayerVersion",
		"AWS::Serverless::LayerVersion", "AWS::ApiGatewayV2::Api", "AWS::Serverless::HttpApi", "AWS::StepFunctions::StateMachine",
	}
	passAlias  = []string{"AWS::Lambda::Alias", "AWS::StepFunctions::StateMachineAlias"}
	passAround = []string{
		"AWS::Serverless::StateMachine", "AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission",
		"AWS::Lambda::Url", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::LayerVersionPermission", "AWS::IAM::Policy", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy",
		"AWS::SQS::QueuePolicy", "AWS::Logs::SubscriptionFilter", "AWS::Logs::MetricFilter", "AWS::ApiGatewayV2::Stage",
		"AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Route",
	}
)

type readResource = func(*reader, string, map[string]any)

var readers = map[string]readResource{
	"AWS::Serverless::Function": (*reader).samFunction, "AWS::Lambda::Function": (*reader).function, "AWS::IAM::Role": (*reader).role,
	"AWS::IAM::Policy": (*reader).inlinePolicy, "AWS::Lambda::Alias": (*reader).alias, "AWS::Lambda::EventSourceMapping": (*reader).mapping,
	"AWS::Lambda::Permission": (*reader).permission, "AWS::Lambda::Url": (*reader).url, "AWS::Lambda::EventInvokeConfig": (*reader).async,
	"AWS::Lambda::LayerVersion": (*reader).layer, "AWS::Serverless::LayerVersion": (*reader).layer,
	"AWS::Lambda::LayerVersionPermission": (*reader).layerPermission,
	"AWS::SQS::Queue":                     (*reader).queue, "AWS::SQS::QueuePolicy": (*reader).queuePolicy, "AWS::SNS::Topic": (*reader).topic,
	"AWS::SNS::TopicPolicy": (*reader).topicPolicy, "AWS::SNS::Subscription": (*reader).subscription,
	"AWS::Events::Rule": (*reader).rule, "AWS::Scheduler::Schedule": (*reader).schedule,
	"AWS::StepFunctions::StateMachine": (*reader).stateMachine, "AWS::Serverless::StateMachine": (*reader).samStateMachine,
	"AWS::StepFunctions::StateMachineAlias": (*reader).machineAlias,
	"AWS::DynamoDB::Table":                  (*reader).table, "AWS::Serverless::SimpleTable": (*reader).simpleTable, "AWS::S3::Bucket": (*reader).bucket,
	"AWS::Logs::LogGroup": (*reader).logGroup, "AWS::Logs::SubscriptionFilter": (*reader).subscriptionFilter,
	"AWS::Logs::MetricFilter": (*reader).metricFilter, "AWS::CloudWatch::Alarm": (*reader).alarm,
	"AWS::ApiGatewayV2::Api": (*reader).api, "AWS::Serverless::HttpApi": (*reader).samAPI, "AWS::ApiGatewayV2::Stage": (*reader).stage,
	"AWS::ApiGatewayV2::Authorizer": (*reader).authorizer, "AWS::ApiGatewayV2::Route": (*reader).route,
}

// silent resources have no manifest of their own: something else stands for
// them here, or nothing does.
var silent = map[string]string{
	"AWS::Lambda::Version":                    "releases publish versions",
	"AWS::StepFunctions::StateMachineVersion": "releases publish versions",
	"AWS::ApiGatewayV2::Deployment":           "a declared stage deploys by itself",
	"AWS::Serverless::Api":                    "a REST API is not managed: an HTTP API (AWS::Serverless::HttpApi) is",
	"AWS::ApiGateway::RestApi":                "a REST API is not managed: an HTTP API (AWS::ApiGatewayV2::Api) is",
	"AWS::Serverless::Connector":              "a connector is not worked out here: write what it allows as statements of the role, and its permission",
	"AWS::Serverless::Application":            "a nested application is not read: import its own template",
	"AWS::CloudFormation::Stack":              "a nested stack is not read: import its own template",
	"AWS::S3::BucketPolicy":                   "the policy of a bucket is not managed; it stays as it is",
	"AWS::IAM::ManagedPolicy":                 "a managed policy is not managed: name it by ARN in managedPolicyArns",
}

// take works out one resource, or lists why it is not taken.
func (r *reader) take(id string, x any) {
	body, ok := x.(map[string]any)
	if !ok {
		r.skip(id, "", "is no resource")
		return
	}
	kind, _ := body["Type"].(string)
	if properties, ok := body["Properties"].(map[string]any); ok && inner[kind] {
		r.resources[id] = resource{kind, properties}
	}
	switch why, known := silent[kind]; {
	case kind == "AWS::ApiGatewayV2::Integration": // a part of the routes that lead to it
		return
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
	for _, attribute := range []string{"arn", "url", "name", "streamArn"} {
		d.Addresses[attribute] = addressOf(kind, id, attribute)
	}
	if kind == manifest.KindFunction { // where it has an alias, that is what others call
		d.Addresses["alias"] = d.Addresses["arn"]
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
	"AWS::DynamoDB::Table": manifest.KindTable, "AWS::Serverless::SimpleTable": manifest.KindTable, "AWS::S3::Bucket": manifest.KindBucket,
	"AWS::Logs::LogGroup": manifest.KindLogGroup, "AWS::CloudWatch::Alarm": manifest.KindAlarm, "AWS::Events::Rule": manifest.KindRule,
	"AWS::Scheduler::Schedule": manifest.KindSchedule, "AWS::StepFunctions::StateMachine": manifest.KindWorkflow,
	"AWS::Serverless::StateMachine": manifest.KindWorkflow, "AWS::ApiGatewayV2::Api": manifest.KindAPI,
	"AWS::Serverless::HttpApi": manifest.KindAPI, "AWS::Lambda::LayerVersion": manifest.KindLayer, "AWS::Serverless::LayerVersion": manifest.KindLayer,
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
