package aws

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// workflowKind is a Step Functions state machine with its versions. Its
// definition is compared by meaning, each state by itself.
type workflowKind struct{ p *Provider }

func (k workflowKind) rights() []rights.Row {
	role := func(res manifest.Resource) []manifest.Value {
		spec, ok := res.Spec.(*manifest.WorkflowSpec)
		if !ok {
			return nil
		}
		return []manifest.Value{spec.Role}
	}
	runs := []string{"arn:{partition}:states:{region}:{account}:execution:{name}:*"}
	return []rights.Row{
		toObserve(machineARN, "sfn:DescribeStateMachine", "sfn:DescribeStateMachineAlias", "sfn:ListStateMachineAliases", "sfn:ListStateMachineVersions",
			"sfn:ListTagsForResource", "sts:GetCallerIdentity"),
		toCheck(machineARN, "sfn:StartExecution", "sfn:StartSyncExecution"),
		toCheck(runs, "sfn:DescribeExecution"),
		toManage(machineARN, "sfn:CreateStateMachine", "sfn:PublishStateMachineVersion", "sfn:TagResource", "sfn:UntagResource", "sfn:UpdateStateMachine"),
		passRole("states.amazonaws.com", role),
		toDelete(machineARN, "sfn:DeleteStateMachine", "sfn:DeleteStateMachineVersion"),
	}
}

// machineDelay is how long Step Functions may go on showing what was before a
// write of ours.
const machineDelay = 5 * time.Second

// machine is a state machine in AWS's words.
type machine struct {
	parts       map[string]any // of the definition, by path
	kind, role  string
	level       string
	data        bool // whether execution data is logged
	destination string
	tracing     bool
	keyType     string
	key         string
	keyReuse    int
}

// machineMembers are the members beside the definition.
var machineMembers = []member[machine]{
	{"encryptionConfiguration.kmsDataKeyReusePeriodSeconds", func(m *machine) any { return m.keyReuse }, func(d, s *machine) { d.keyReuse = s.keyReuse }},
	{"encryptionConfiguration.kmsKeyId", func(m *machine) any { return m.key }, func(d, s *machine) { d.key = s.key }},
	{"encryptionConfiguration.type", func(m *machine) any { return m.keyType }, func(d, s *machine) { d.keyType = s.keyType }},
	{"loggingConfiguration.destinations", func(m *machine) any { return m.destination }, func(d, s *machine) { d.destination = s.destination }},
	{"loggingConfiguration.includeExecutionData", func(m *machine) any { return m.data }, func(d, s *machine) { d.data = s.data }},
	{"loggingConfiguration.level", func(m *machine) any { return m.level }, func(d, s *machine) { d.level = s.level }},
	{"roleArn", func(m *machine) any { return m.role }, func(d, s *machine) { d.role = s.role }},
	{"tracingConfiguration.enabled", func(m *machine) any { return m.tracing }, func(d, s *machine) { d.tracing = s.tracing }},
	{"type", func(m *machine) any { return m.kind }, func(d, s *machine) { d.kind = s.kind }},
}

const (
	definitionPath = "definition"
	statesPath     = "definition.States"
)

// partsOf takes a definition apart: its members, and each state of the first
// level.
func partsOf(definition map[string]any) map[string]any {
	parts := make(map[string]any, len(definition)+8)
	for key, value := range definition {
		states, ok := value.(map[string]any)
		if key != "States" || !ok {
			parts[keyPath(definitionPath, key)] = value
			continue
		}
		for name, state := range states {
			parts[keyPath(statesPath, name)] = state
		}
	}
	return parts
}

// definition puts the parts together again.
func (m *machine) definition() map[string]any {
	states := map[string]any{}
	out := map[string]any{"States": states}
	for path, value := range m.parts {
		if name, ok := keyOf(statesPath, path); ok {
			states[name] = value
		} else if key, ok := keyOf(definitionPath, path); ok {
			out[key] = value
		}
	}
	return out
}

func declaredMachine(res manifest.Resource, b *builder) (machine, error) {
	spec, ok := res.Spec.(*manifest.WorkflowSpec)
	if !ok {
		return machine{}, wrongSpec(res)
	}
	definition, _ := resolveDocument(spec.Definition, b).(map[string]any)
	m := machine{parts: partsOf(definition), kind: orElse(spec.Type, "STANDARD"), role: b.value(spec.Role), level: "OFF", keyType: "AWS_OWNED_KEY"}
	if l := spec.LoggingConfiguration; l != nil {
		m.level, m.data = orElse(l.Level, "OFF"), l.IncludeExecutionData
		for _, d := range l.Destinations {
			m.destination = strings.TrimSuffix(b.value(d.CloudWatchLogsLogGroup.LogGroupArn), ":*") + ":*"
		}
	}
	if t := spec.TracingConfiguration; t != nil {
		m.tracing = t.Enabled
	}
	if e := spec.EncryptionConfiguration; e != nil {
		m.keyType, m.key, m.keyReuse = e.Type, e.KmsKeyID, e.KmsDataKeyReusePeriodSeconds
	}
	return m, nil
}

// liveMachine reads an answer; an error is about a definition that is none.
func liveMachine(out *sfn.DescribeStateMachineOutput) (machine, error) {
	m := machine{kind: string(out.Type), role: awssdk.ToString(out.RoleArn), level: "OFF", keyType: "AWS_OWNED_KEY"}
	var definition map[string]any
	if err := json.Unmarshal([]byte(awssdk.ToString(out.Definition)), &definition); err != nil {
		return m, err
	}
	m.parts = partsOf(definition)
	if l := out.LoggingConfiguration; l != nil {
		m.level, m.data = orElse(string(l.Level), "OFF"), l.IncludeExecutionData
		for _, d := range l.Destinations {
			if d.CloudWatchLogsLogGroup != nil {
				m.destination = awssdk.ToString(d.CloudWatchLogsLogGroup.LogGroupArn)
			}
		}
	}
	if t := out.TracingConfiguration; t != nil {
		m.tracing = t.Enabled
	}
	if e := out.EncryptionConfiguration; e != nil && e.Type == types.EncryptionTypeCustomerManagedKmsKey {
		m.keyType, m.key, m.keyReuse = string(e.Type), awssdk.ToString(e.KmsKeyId), int(orElse(awssdk.ToInt32(e.KmsDataKeyReusePeriodSeconds), 300))
	}
	return m, nil
}

// write puts the canonical form into b, and the digest of what a version
// keeps: everything but the tags and the type, which never changes.
func (m *machine) write(b *builder) {
	each(b, machineMembers, m)
	for path, value := range m.parts {
		b.set(path, value)
	}
	kept := maps.Clone(b.fields)
	delete(kept, "type")
	b.snapshot = digestOf(kept)
}

func (k workflowKind) canonical(res manifest.Resource, b *builder) error {
	m, err := declaredMachine(res, b)
	if err != nil {
		return err
	}
	m.write(b)
	tags := res.Spec.(*manifest.WorkflowSpec).Tags
	setTags(b, tags, tags)
	return nil
}

// machineARN is what Step Functions asks for in place of a name.
func (p *Provider) machineARN(ctx context.Context, cl *clients, physical string) (string, error) {
	account, err := p.account(ctx, cl)
	if err != nil {
		return "", err
	}
	return p.machineIn(account, physical), nil
}

func (p *Provider) machineIn(account, physical string) string {
	return "arn:" + manifest.Partition(p.o.Config.Region) + ":states:" + p.o.Config.Region + ":" + account + ":stateMachine:" + physical
}

// machineLook is a state machine as one look shows it.
type machineLook struct {
	at    time.Time
	out   *sfn.DescribeStateMachineOutput
	form  machine
	bad   error // the definition is not what a state machine is
	tags  map[string]string
	arn   string
	guard providers.Guard
}

// lookMachine asks for a state machine; nil when there is none. One that is
// being deleted is none: nothing starts there any more.
func (p *Provider) lookMachine(ctx context.Context, cl *clients, physical string) (*machineLook, error) {
	arn, err := p.machineARN(ctx, cl, physical)
	if err != nil {
		return nil, err
	}
	l := &machineLook{at: p.o.Now(), arn: arn}
	l.out, err = cl.machines.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	if l.out.Status == types.StateMachineStatusDeleting {
		return nil, nil
	}
	l.tags, err = p.tags(cl, arn, func() (map[string]string, error) {
		out, err := cl.machines.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: &arn})
		if err != nil {
			return nil, err
		}
		return pairs(out.Tags, func(t types.Tag) (key, value *string) { return t.Key, t.Value }), nil
	})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	l.form, l.bad = liveMachine(l.out)
	b := &builder{fields: map[string]string{}}
	l.form.write(b)
	// A revision tells of every update; one made anew has none again.
	l.guard = seen([]any{awssdk.ToString(l.out.RevisionId), awssdk.ToTime(l.out.CreationDate).UTC(), b.fields})
	return l, nil
}

func (k workflowKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookMachine(ctx, cl, res.Physical)
	if err != nil {
		return providers.Live{}, err
	}
	if l == nil {
		return k.absent(res), nil
	}
	versions, err := k.p.lookMachineVersions(ctx, cl, res.Physical, l)
	if err != nil {
		return providers.Live{}, err
	}
	return k.live(res, l, versions), nil
}

// absent is nothing, unless it was made a moment ago: then it is on its way.
func (k workflowKind) absent(res manifest.Resource) providers.Live {
	if w, ok := recall(&k.p.memory, k.p.memory.wrote, res.Ref); ok && !w.gone && k.p.o.Now().Sub(w.at) < machineDelay {
		return providers.Live{Exists: true, Settling: true, Owner: providers.Owner{
			Pipeline: k.p.o.Pipeline, Environment: k.p.o.Environment, Resource: res.Ref.String(),
		}}
	}
	return providers.Live{}
}

func (k workflowKind) live(res manifest.Resource, l *machineLook, versions map[string]providers.Version) providers.Live {
	b := k.p.builder(nil)
	l.form.write(b)
	if l.bad != nil {
		b.snapshot = ""
		b.unseen[definitionPath] = "not a state machine in JSON"
	}
	if spec, ok := res.Spec.(*manifest.WorkflowSpec); ok {
		setTags(b, spec.Tags, l.tags)
	}
	live := b.live()
	live.Published, live.Guard, live.Owner, live.SeenAt = versions, l.guard, ownerOf(l.tags), l.at
	live.Attributes = map[string]string{"arn": l.arn, "name": res.Physical, "id": l.arn}
	if w, ok := recall(&k.p.memory, k.p.memory.wrote, res.Ref); ok && k.p.o.Now().Sub(w.at) < machineDelay {
		live.Settling = w.before != "" && w.before != w.digest && w.before == live.Spec.Snapshot
	}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

func (k workflowKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{
		kind: manifest.KindWorkflow, layer: layerWorkflows, service: "SFN", operation: "DescribeStateMachine", cost: 3,
		extras: func(res manifest.Resource, live providers.Live) ([]providers.Extra, error) {
			return k.extras(ctx, s.cl, res, live)
		},
	})
}

func (k workflowKind) resourceType() string { return "states:stateMachine" }

func (k workflowKind) physicalIn(arn string) (string, bool) {
	return lastIn(arn, "states", "stateMachine:")
}
