package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// driftWorld is one environment in which every row of the catalogue happens
// at once, each to resources of its own, with the default responses.
type driftWorld struct {
	*rig
	python *python
	reader *hand
	since  time.Time // the hands began
	read   journal.Seq
	told   map[string]*driftStory // by id
	// listener hears of changes, which the daemon of this world does not.
	listener providers.Provider
}

// newDriftWorld deploys what the rows declare and waits for rest.
func newDriftWorld(t testing.TB, rows []driftRow) *driftWorld {
	t.Helper()
	sweepCredentials(t)
	r := newRig(t, newSweepFiles(t), &evaluators{made: map[string]policy.Evaluator{}})
	r.pace.Parallel, r.pace.RetryMax = 8, 100*time.Millisecond
	r.cloud.replies = &replies{byID: map[string][]byte{}}
	w := &driftWorld{rig: r, told: map[string]*driftStory{}, reader: newHand(r.cloud), python: newPython(t, r.cloud, r.files)}
	r.cloud.RegisterActor("instrumenter", wire.Actor{Type: "AssumedRole", Name: "assumed-role/Instrumenter/remote"})
	w.furnish(rows)
	control := fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: %s
      provider: {aws: {region: eu-west-1, account: "111111111111", endpoint: "%s"}}
      rollout: {strategy: allAtOnce}
      drift: {interval: 2s}
`, sweepEnvironment, r.cloud.door.URL)
	r.push("main", map[string]string{"mooring.yaml": control})
	tree := map[string]string{}
	for _, row := range rows {
		tree[row.name+".yaml"] = row.manifest(w.python)
	}
	first := r.push(sweepBranch, tree)
	r.start()
	r.wait("first deployment", r.atRest(first, "in_sync"))
	w.listen(control, first)
	return w
}

// furnish makes what the rows' manifests name and nobody declares.
func (w *driftWorld) furnish(rows []driftRow) {
	w.t.Helper()
	for _, role := range []string{"drift", "other"} {
		w.python.do("iam", "create_role", with{"RoleName": role, "AssumeRolePolicyDocument": lambdaTrust})
		w.python.do("iam", "put_role_policy", with{"RoleName": role, "PolicyName": "all", "PolicyDocument": allowAll})
	}
	w.python.do("sqs", "create_queue", with{"QueueName": "alices-own", "Attributes": with{"Policy": allowS3}})
	for _, layer := range []string{"ours", "injected"} {
		w.python.do("lambda", "publish_layer_version", with{"LayerName": layer, "Content": with{"ZipFile": w.python.zip("checkout-1")}})
	}
	for _, row := range rows {
		if row.before != nil {
			row.before(w.python, physicalName(row.name))
		}
	}
}

const (
	lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	allowS3     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}]}`
	allowAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

func physicalName(name string) string { return sweepEnvironment + "-" + name }

// zip is the bytes of one of the builds.
func (p *python) zip(build string) with { return with{"$file": p.files.dir + "/" + build + ".zip"} }

// driftStory is all that the journal says of one difference.
type driftStory struct {
	key      string           // "Kind/name path kind"
	item     record.DriftItem // as it was decided
	actor    providers.Actor
	resolved string // how, "" while it lasts
}

// stories are the confirmed and decided differences since the hands began, by
// "Kind/name path kind".
func (w *driftWorld) stories() map[string]driftStory {
	for rec, err := range w.store.Records(context.Background(), w.read) {
		check(w.t, err)
		w.read = rec.Seq
		if !rec.At.Before(w.since) {
			w.tell(rec)
		}
	}
	out := map[string]driftStory{}
	for _, s := range w.told {
		out[s.key] = *s
	}
	return out
}

// tell adds a record of the journal to the story it belongs to.
func (w *driftWorld) tell(rec journal.Record) {
	switch {
	case rec.Drift != nil && rec.Drift.Confirmed() && rec.Drift.Response != "":
		s := w.told[rec.Drift.ID]
		if s == nil {
			name := mappingID.ReplaceAllString(rec.Drift.Ref.String(), "UUID")
			s = &driftStory{key: strings.Join(strings.Fields(fmt.Sprintf("%s %s %s", name, rec.Drift.Path, rec.Drift.Kind)), " ")}
			w.told[rec.Drift.ID] = s
		}
		s.item, s.resolved = *rec.Drift, ""
		if rec.Drift.Actor.Known {
			s.actor = rec.Drift.Actor
		}
	case rec.Named != nil && w.told[rec.Named.ID] != nil:
		w.told[rec.Named.ID].actor = rec.Named.Actor
	case rec.Resolved != nil && w.told[rec.Resolved.ID] != nil:
		w.told[rec.Resolved.ID].resolved = rec.Resolved.How
	}
}

// mappingID is a mapping's name where nobody declares it.
var mappingID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// of are the differences about a row's resources.
func (row *driftRow) of(stories map[string]driftStory) map[string]driftStory {
	out := map[string]driftStory{}
	for key, s := range stories {
		for _, name := range []string{s.item.Ref.Name, s.item.Parent.Name} {
			if head, _, _ := strings.Cut(name, "."); head == row.name || strings.HasPrefix(head, row.name+"-x-") {
				out[key] = s
			}
		}
	}
	return out
}

// writes are those of Mooring's changes since the hands began that were made
// to a row's resources, as "Operation member member": which members it sent,
// but for those that only say which resource is meant.
func (w *driftWorld) writes(changes []wire.Call, row *driftRow) []string {
	var out []string
	for _, c := range changes {
		if c.At.Before(w.since) || c.Status >= 300 || c.Operation == "ReceiveMessage" || c.Operation == "DeleteMessageBatch" {
			continue // or the listener's
		}
		text, err := json.Marshal([]any{c.Params, c.Response})
		check(w.t, err)
		if !mentions(string(text), physicalName(row.name)) {
			continue
		}
		members := slices.Sorted(maps.Keys(c.Params))
		members = slices.DeleteFunc(members, func(m string) bool { return slices.Contains(identifying, m) })
		out = append(out, strings.Join(append([]string{c.Operation}, members...), " "))
	}
	slices.Sort(out)
	return out
}

// identifying members say which resource is meant, and in which state.
var identifying = []string{
	"functionName", "revisionId", "qualifier", "name", "statementId", "uuid", "UUID", "queueUrl", "roleName", "policyName", "resource", "resourceArn", "alarmName", "alarmNames", "logGroupName", "filterName",
	"topicArn", "subscriptionArn", "rule", "eventBusName", "resourceARN", "stateMachineArn", "stateMachineAliasArn", "bucketName",
}

// mentions is true for a name that is not the beginning of a longer one.
func mentions(text, name string) bool {
	for {
		i := strings.Index(text, name)
		if i < 0 {
			return false
		}
		text = text[i+len(name):]
		if rest := strings.TrimPrefix(text, "-x-"); rest != text || text == "" || !strings.ContainsRune("-abcdefghijklmnopqrstuvwxyz0123456789", rune(text[0])) {
			return true
		}
	}
}

// look is everything that lives of a row, read beside Mooring; what changes
// by being written is left out.
func (w *driftWorld) look(row *driftRow) map[string]string {
	s, name, ctx := map[string]string{}, physicalName(row.name), context.Background()
	h := w.reader
	keep := func(key string, value any, err error) {
		if err == nil {
			text, _ := json.Marshal(value) // an answer of the SDK is data
			var plain any
			check(w.t, json.Unmarshal(text, &plain))
			text, _ = json.Marshal(steady(plain))
			s[key] = string(text)
		}
	}
	if strings.Contains(row.declared, "kind: Function") {
		fn, err := h.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &name})
		keep("function", fn, err)
		if err == nil {
			w.lookAround(row, keep)
		}
	}
	if strings.Contains(row.declared, "role: {statements") || strings.Contains(row.declared, "role: {managed") {
		w.lookRole(name, keep)
	}
	if strings.Contains(row.declared, "kind: Queue") {
		w.lookQueue(name, keep)
	}
	if row.look != nil {
		keep("more", row.look(w.python, name), nil)
	}
	return s
}

func (w *driftWorld) lookRole(name string, keep func(string, any, error)) {
	h, ctx := w.reader, context.Background()
	role, err := h.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	keep("role", role, err)
	if err == nil {
		attached, err := h.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &name})
		keep("attached", attached, err)
		policies, err := h.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
		check(w.t, err)
		for _, p := range policies.PolicyNames {
			doc, err := h.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &p})
			keep("policy "+p, doc, err)
		}
	}
}

func (w *driftWorld) lookQueue(name string, keep func(string, any, error)) {
	h, ctx := w.reader, context.Background()
	if url, err := h.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name}); err == nil {
		attributes, err := h.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{"All"}})
		keep("queue", attributes, err)
		tags, err := h.sqs.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url.QueueUrl})
		keep("queue tags", tags, err)
	}
}

func (w *driftWorld) lookAround(row *driftRow, keep func(string, any, error)) {
	name, ctx, h := physicalName(row.name), context.Background(), w.reader
	aliases, err := h.lambda.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: &name})
	keep("aliases", aliases, err)
	policy, err := h.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &name})
	keep("permissions", policy, err)
	for _, a := range aliases.Aliases {
		policy, err := h.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: &name, Qualifier: a.Name})
		keep("permissions of "+awssdk.ToString(a.Name), policy, err)
	}
	urls, err := h.lambda.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: &name})
	keep("urls", urls, err)
	async, err := h.lambda.ListFunctionEventInvokeConfigs(ctx, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: &name})
	keep("async", async, err)
	mappings, err := h.lambda.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{FunctionName: awssdk.String(name + ":live")})
	keep("mappings", mappings, err)
}

// unsteady members are another after every write.
var unsteady = []string{
	"RevisionId", "LastModified", "LastModifiedTime", "LastModifiedTimestamp", "ApproximateNumberOfMessages", "CreationTime", "ResultMetadata",
	"StateTransitionReason", "UUID", "EventSourceMappingArn", "LastProcessingResult", "Location", "RoleId", "CreateDate", "RoleLastUsed", "mooring:release",
	"FunctionUrl", "TimeToLiveStatus", "ConfigSha256", "ResponseMetadata", "creationTime", "storedBytes", "AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp",
}

func steady(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range unsteady {
			delete(v, name)
		}
		for name, inner := range v {
			v[name] = steady(inner)
		}
	case []any:
		for i := range v {
			v[i] = steady(v[i])
		}
	}
	return v
}
