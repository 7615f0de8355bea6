package manifest

import "slices"

// retentions are the days PutRetentionPolicy takes; 0 stands for no policy.
var retentions = []int{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

func logGroupKind() *kind {
	return newKind[LogGroupSpec](kind{
		name:       KindLogGroup,
		summary:    "A log group of CloudWatch Logs, with retention, subscriptions and metrics. A function's own is declared in the function.",
		nameRule:   rule{required: true, maxLen: 512, match: patterns["logGroup"]},
		limit:      512,
		attributes: []string{"arn", "name", "streamsArn"},
		noSpec:     true,
		stateful:   true,
		expand:     func(x *expansion) { spec := *x.written.(*LogGroupSpec); x.top(&spec, spec.refs()) },
		example: `apiVersion: mooring.dev/v1
kind: LogGroup
metadata: {name: audit}
spec:
  retentionInDays: 90
  metricFilters:
    denied: {filterPattern: '{ $.outcome = "denied" }', metricNamespace: Shop, metricName: Denied}
`,
	})
}

func (g *LogGroupSpec) refs() []Ref {
	var refs []Ref
	for _, f := range g.SubscriptionFilters {
		refs = append(refs, targets(Ref{}, &f.DestinationArn, f.RoleArn)...)
	}
	return refs
}

// ownLogGroup adds the function's log group. It stands before the function:
// Lambda makes one by itself, without retention, when the first event comes.
// One that it made before is taken over.
func ownLogGroup(x *expansion, f *functionSpec) Ref {
	spec, ref := *f.LogGroup, Ref{KindLogGroup, x.meta.Name}
	name := "/aws/lambda/" + x.physical
	if f.LoggingConfig != nil && f.LoggingConfig.LogGroup != "" {
		name = f.LoggingConfig.LogGroup
	}
	x.add(Resource{
		Ref: ref, Parent: x.doc.ref, Physical: name, Labels: x.meta.Labels, Spec: &spec, Stateful: true, Adopt: true,
	}, spec.refs())
	return ref
}

func (g *LogGroupSpec) check(d *decoder, n *node) {
	if !slices.Contains(retentions, g.RetentionInDays) {
		d.fault(n.get("retentionInDays").pos(), "cannot be "+itoa(g.RetentionInDays), nearRetention(g.RetentionInDays))
	}
	if g.LogGroupClass != "STANDARD" {
		for _, name := range []string{"subscriptionFilters", "metricFilters"} {
			if field := n.get(name); field != nil && g.LogGroupClass == "DELIVERY" || field != nil && name == "metricFilters" {
				d.fault(field.pos(), name+" are not for the class "+g.LogGroupClass, "")
			}
		}
	}
	if g.LogGroupClass == "DELIVERY" && n.get("retentionInDays") != nil {
		d.fault(n.get("retentionInDays").pos(), "the class DELIVERY keeps events for two days", "leave it out")
	}
	if g.DeletionProtectionEnabled && g.DeletionPolicy == "Delete" {
		d.fault(n.get("deletionPolicy").pos(), "deletionPolicy: Delete, and deletionProtectionEnabled forbids it", "choose one")
	}
	if list := n.get("metricFilters"); list != nil {
		for _, e := range list.entries {
			if f := g.MetricFilters[e.key]; f.DefaultValue != nil && len(f.Dimensions) > 0 {
				d.fault(e.pos(), "a metric with dimensions has no defaultValue", "leave one of them out")
			}
		}
	}
	checkTags(d, n.get("tags"), g.Tags)
}

// nearRetention names the values next to one that AWS does not take.
func nearRetention(days int) string {
	i, _ := slices.BinarySearch(retentions, days)
	if i == len(retentions) {
		return "at most " + itoa(retentions[i-1]) + ", or 0 for ever"
	}
	return itoa(retentions[i-1]) + " or " + itoa(retentions[i]) + " days, or 0 for ever"
}
