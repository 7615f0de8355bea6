package aws

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// logGroupKind is a log group of CloudWatch Logs with its retention,
// subscription filters and metric filters.
type logGroupKind struct{ p *Provider }

func (k logGroupKind) rights() []rights.Row {
	on := []string{"arn:{partition}:logs:{region}:{account}:log-group:{name}", "arn:{partition}:logs:{region}:{account}:log-group:{name}:*"}
	all := []string{"arn:{partition}:logs:{region}:{account}:log-group:*"}
	roles := func(res manifest.Resource) []manifest.Value {
		var out []manifest.Value
		if spec, ok := res.Spec.(*manifest.LogGroupSpec); ok {
			for _, f := range spec.SubscriptionFilters {
				if f.RoleArn != nil {
					out = append(out, *f.RoleArn)
				}
			}
		}
		return out
	}
	return []rights.Row{
		because(toObserve(all, "cloudwatchlogs:DescribeLogGroups", "cloudwatchlogs:DescribeMetricFilters"), "AWS asks for all groups where they are listed"),
		toObserve(on, "cloudwatchlogs:DescribeSubscriptionFilters", "cloudwatchlogs:ListTagsForResource"),
		toManage(on, "cloudwatchlogs:AssociateKmsKey", "cloudwatchlogs:CreateLogGroup", "cloudwatchlogs:DeleteMetricFilter", "cloudwatchlogs:DeleteRetentionPolicy",
			"cloudwatchlogs:DeleteSubscriptionFilter", "cloudwatchlogs:DisassociateKmsKey", "cloudwatchlogs:PutLogGroupDeletionProtection",
			"cloudwatchlogs:PutMetricFilter", "cloudwatchlogs:PutRetentionPolicy", "cloudwatchlogs:PutSubscriptionFilter", "cloudwatchlogs:TagResource",
			"cloudwatchlogs:UntagResource"),
		passRole("logs.amazonaws.com", roles),
		toDelete(on, "cloudwatchlogs:DeleteLogGroup"),
	}
}

const (
	layerLogGroups  = "logGroups"  // in bulk
	layerLogFilters = "logFilters" // subscription filters and tags of log groups
)

type logGroup struct {
	retention     int // days; 0 for ever
	class, kmsKey string
	protected     bool
	deletion      string
}

var logGroupMembers = []member[logGroup]{
	{"deletionProtectionEnabled", func(g *logGroup) any { return g.protected }, func(d, s *logGroup) { d.protected = s.protected }},
	{"kmsKeyId", func(g *logGroup) any { return g.kmsKey }, func(d, s *logGroup) { d.kmsKey = s.kmsKey }},
	{"logGroupClass", func(g *logGroup) any { return g.class }, func(d, s *logGroup) { d.class = s.class }},
	{"retentionInDays", func(g *logGroup) any { return g.retention }, func(d, s *logGroup) { d.retention = s.retention }},
	{pathDeletion, func(g *logGroup) any { return g.deletion }, func(d, s *logGroup) { d.deletion = s.deletion }},
}

// subscription is a subscription filter as one field shows it.
type subscription struct {
	Pattern      string   `json:"filterPattern"`
	Destination  string   `json:"destinationArn"`
	Role         string   `json:"roleArn,omitempty"`
	Distribution string   `json:"distribution"`
	Transformed  bool     `json:"applyOnTransformedLogs,omitempty"`
	System       []string `json:"emitSystemFields,omitempty"`
	Selection    string   `json:"fieldSelectionCriteria,omitempty"`
}

// metricFilter is a metric filter as one field shows it. What the manifest
// cannot say is there too, so that a hand's use of it shows.
type metricFilter struct {
	Pattern     string            `json:"filterPattern"`
	Namespace   string            `json:"metricNamespace"`
	Name        string            `json:"metricName"`
	Value       string            `json:"metricValue"`
	Default     *float64          `json:"defaultValue,omitempty"`
	Dimensions  map[string]string `json:"dimensions,omitempty"`
	Unit        string            `json:"unit"`
	Transformed bool              `json:"applyOnTransformedLogs,omitempty"`
	System      []string          `json:"emitSystemFieldDimensions,omitempty"`
	Selection   string            `json:"fieldSelectionCriteria,omitempty"`
}

// The prefixes of the fields that filters are.
const (
	pathSubscriptions = "subscriptionFilters"
	pathMetricFilters = "metricFilters"
)

func declaredLogGroup(res manifest.Resource) (*logGroup, *manifest.LogGroupSpec, error) {
	spec, ok := res.Spec.(*manifest.LogGroupSpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	return &logGroup{
		retention: spec.RetentionInDays, class: orElse(spec.LogGroupClass, "STANDARD"), kmsKey: spec.KmsKeyID,
		protected: spec.DeletionProtectionEnabled, deletion: orElse(spec.DeletionPolicy, retain),
	}, spec, nil
}

// declaredFilters are the subscription and metric filters of a manifest, by
// field path.
func declaredFilters(spec *manifest.LogGroupSpec, b *builder) map[string]any {
	out := map[string]any{}
	for name, f := range spec.SubscriptionFilters {
		s := subscription{Pattern: f.FilterPattern, Destination: b.value(f.DestinationArn), Distribution: orElse(f.Distribution, "ByLogStream")}
		if f.RoleArn != nil {
			s.Role = b.value(*f.RoleArn)
		}
		out[keyPath(pathSubscriptions, name)] = s
	}
	for name, f := range spec.MetricFilters {
		out[keyPath(pathMetricFilters, name)] = metricFilter{
			Pattern: f.FilterPattern, Namespace: f.MetricNamespace, Name: f.MetricName, Value: orElse(f.MetricValue, "1"),
			Default: f.DefaultValue, Dimensions: f.Dimensions, Unit: orElse(f.Unit, "None"),
		}
	}
	return out
}

func (k logGroupKind) canonical(res manifest.Resource, b *builder) error {
	g, spec, err := declaredLogGroup(res)
	if err != nil {
		return err
	}
	each(b, logGroupMembers, g)
	for path, f := range declaredFilters(spec, b) {
		b.set(path, f)
	}
	setTags(b, spec.Tags, spec.Tags)
	return nil
}

// logGroupLook is a log group as one look shows it.
type logGroupLook struct {
	at      time.Time
	arn     string // without the :* of its streams
	created int64
	group   logGroup
	filters map[string]any // by field path
	tags    map[string]string
	shown   time.Time // when all but filters and tags was last seen
	touched int
}

// lookLogGroup asks for a log group by name; nil when there is none.
func (p *Provider) lookLogGroup(ctx context.Context, cl *clients, name string) (*logGroupLook, error) {
	l := &logGroupLook{at: p.o.Now(), shown: p.o.Now(), filters: map[string]any{}}
	found, err := findLogGroup(ctx, cl, name)
	if err != nil || found == nil {
		return nil, err
	}
	l.head(found)
	return p.around(ctx, cl, l, []groupAsk{p.askGroupTags(l), l.askSubscriptions(name), l.askMetricFilters(name)})
}

// head takes what a listing shows of a group.
func (l *logGroupLook) head(found *types.LogGroup) {
	l.arn, l.created = strings.TrimSuffix(awssdk.ToString(found.Arn), ":*"), awssdk.ToInt64(found.CreationTime)
	deletion := l.group.deletion
	l.group = logGroup{
		retention: int(awssdk.ToInt32(found.RetentionInDays)), class: orElse(string(found.LogGroupClass), "STANDARD"),
		kmsKey: awssdk.ToString(found.KmsKeyId), protected: awssdk.ToBool(found.DeletionProtectionEnabled), deletion: deletion,
	}
	if l.group.class == string(types.LogGroupClassDelivery) {
		l.group.retention = 0 // AWS shows its own two days
	}
}

// groupAsk asks for a part of a log group.
type groupAsk func(context.Context, *clients) error

// around completes a look; nil when the group went meanwhile.
func (p *Provider) around(ctx context.Context, cl *clients, l *logGroupLook, parts []groupAsk) (*logGroupLook, error) {
	for _, ask := range parts {
		err := ask(ctx, cl)
		if isAbsent(err) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
	}
	l.group.deletion = deletionOf(l.tags)
	return l, nil
}

// findLogGroup lists by prefix, which is all that AWS offers: the name itself
// comes first among those that begin with it.
func findLogGroup(ctx context.Context, cl *clients, name string) (*types.LogGroup, error) {
	out, err := cl.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name, Limit: awssdk.Int32(1)})
	if err != nil {
		return nil, classify(err)
	}
	if len(out.LogGroups) == 0 || awssdk.ToString(out.LogGroups[0].LogGroupName) != name {
		return nil, nil
	}
	return &out.LogGroups[0], nil
}

func (p *Provider) askGroupTags(l *logGroupLook) groupAsk {
	return func(ctx context.Context, cl *clients) (err error) {
		l.tags, err = p.tags(cl, l.arn, func() (map[string]string, error) {
			out, err := cl.logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: &l.arn})
			if err != nil {
				return nil, err
			}
			return out.Tags, nil
		})
		return err
	}
}

func (l *logGroupLook) askSubscriptions(name string) groupAsk {
	return func(ctx context.Context, cl *clients) error {
		if l.group.class == string(types.LogGroupClassDelivery) {
			return nil
		}
		out, err := cl.logs.DescribeSubscriptionFilters(ctx, &cloudwatchlogs.DescribeSubscriptionFiltersInput{LogGroupName: &name})
		if err != nil {
			return err
		}
		for _, f := range out.SubscriptionFilters { // at most two
			l.filters[keyPath(pathSubscriptions, awssdk.ToString(f.FilterName))] = subscription{
				Pattern: awssdk.ToString(f.FilterPattern), Destination: awssdk.ToString(f.DestinationArn), Role: awssdk.ToString(f.RoleArn),
				Distribution: orElse(string(f.Distribution), "ByLogStream"), Transformed: f.ApplyOnTransformedLogs,
				System: set(f.EmitSystemFields), Selection: awssdk.ToString(f.FieldSelectionCriteria),
			}
		}
		return nil
	}
}

func (l *logGroupLook) askMetricFilters(name string) groupAsk {
	return func(ctx context.Context, cl *clients) error {
		if l.group.class != string(types.LogGroupClassStandard) {
			return nil
		}
		found, err := listMetricFilters(ctx, cl, &name)
		for path, f := range found[name] {
			l.filters[path] = f
		}
		return err
	}
}

// listMetricFilters are the metric filters of a group, or of all groups when
// none is named, by group and field path.
func listMetricFilters(ctx context.Context, cl *clients, group *string) (map[string]map[string]any, error) {
	found := map[string]map[string]any{}
	pages := cloudwatchlogs.NewDescribeMetricFiltersPaginator(cl.logs, &cloudwatchlogs.DescribeMetricFiltersInput{LogGroupName: group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range page.MetricFilters {
			name := orElse(awssdk.ToString(f.LogGroupName), awssdk.ToString(group))
			if found[name] == nil {
				found[name] = map[string]any{}
			}
			found[name][keyPath(pathMetricFilters, awssdk.ToString(f.FilterName))] = liveMetricFilter(f)
		}
	}
	return found, nil
}

func liveMetricFilter(f types.MetricFilter) metricFilter {
	out := metricFilter{
		Pattern: awssdk.ToString(f.FilterPattern), Transformed: f.ApplyOnTransformedLogs,
		System: set(f.EmitSystemFieldDimensions), Selection: awssdk.ToString(f.FieldSelectionCriteria),
	}
	if len(f.MetricTransformations) > 0 { // AWS allows exactly one
		t := f.MetricTransformations[0]
		out.Namespace, out.Name = awssdk.ToString(t.MetricNamespace), awssdk.ToString(t.MetricName)
		out.Value, out.Unit = awssdk.ToString(t.MetricValue), orElse(string(t.Unit), "None")
		out.Default = t.DefaultValue
		if len(t.Dimensions) > 0 {
			out.Dimensions = t.Dimensions
		}
	}
	return out
}

func (k logGroupKind) live(res manifest.Resource, l *logGroupLook) providers.Live {
	b := k.p.builder(nil)
	each(b, logGroupMembers, &l.group)
	for path, f := range l.filters {
		b.set(path, f)
	}
	if spec, ok := res.Spec.(*manifest.LogGroupSpec); ok {
		setTags(b, spec.Tags, l.tags)
	}
	live := b.live()
	live.Guard = l.guard()
	live.Owner = ownerOf(l.tags)
	live.SeenAt = l.at
	live.Attributes = map[string]string{"arn": l.arn, "streamsArn": l.arn + ":*", "name": res.Physical, "id": l.arn}
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live
}

// guard holds while everything that people set is the same.
func (l *logGroupLook) guard() providers.Guard {
	b := &builder{fields: map[string]string{}}
	each(b, logGroupMembers, &l.group)
	filters, _ := json.Marshal(l.filters) // plain data
	return seen([]any{l.arn, l.created, b.fields, string(filters), l.tags})
}

func (k logGroupKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	l, err := k.p.lookLogGroup(ctx, cl, res.Physical)
	if err != nil || l == nil {
		return providers.Live{}, err
	}
	return k.live(res, l), nil
}

func (k logGroupKind) resourceType() string { return "logs:log-group" }

func (k logGroupKind) physicalIn(arn string) (string, bool) {
	return lastIn(arn, "logs", "log-group:")
}
