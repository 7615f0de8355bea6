package aws

import (
	"context"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// kind is what the provider can do with one kind of resource.
type kind interface {
	// canonical is pure.
	canonical(res manifest.Resource, b *builder) error
	// observe reads every layer now; absent is a zero Live.
	observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error)
	put(ctx context.Context, c providers.Change) (providers.Receipt, error)
	remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error)
	// rights are what IAM must allow for all of that.
	rights() []rights.Row
}

// surveyed kinds have their part in a sweep. What lives on a function has its
// part in the function's.
type surveyed interface {
	survey(ctx context.Context, s *sweep)
}

// listed kinds are found by their ownership tags when nobody declares them any
// more.
type listed interface {
	// resourceType is the kind's name in the tagging API.
	resourceType() string
	// physicalIn reads the physical name out of an ARN of this kind; ok is
	// false for the ARNs of others.
	physicalIn(arn string) (name string, ok bool)
}

// detachable kinds are extras that can be taken off an owned parent other than
// a function or a role.
type detachable interface {
	detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error)
}

// onFunction are the kinds that live on a function: they go by its physical
// name, share its revisions, and are looked at with it.
var onFunction = map[string]bool{
	manifest.KindAlias: true, manifest.KindTrigger: true, manifest.KindPermission: true,
	manifest.KindURL: true, manifest.KindAsync: true, manifest.KindConcurrency: true,
	manifest.KindProvisioned: true, manifest.KindRuntimeManagement: true,
}

type namedKind struct {
	name string
	kind kind
}

// allKinds is the table of kinds, in the order of a survey: what others are
// found by comes first. A further kind is one line here.
func (p *Provider) allKinds() []namedKind {
	return []namedKind{
		{manifest.KindQueue, queueKind{p}}, // before functions: triggers are found by their queues
		{manifest.KindTable, tableKind{p}}, // likewise
		{manifest.KindBucket, bucketKind{p}},
		{manifest.KindLayer, layerKind{p}},
		{manifest.KindFunction, functionKind{p}},
		{manifest.KindAlias, aliasKind{p}},
		{manifest.KindWorkflow, workflowKind{p}},
		{manifest.KindWorkflowAlias, workflowAliasKind{p}},
		{manifest.KindTrigger, triggerKind{p}},
		{manifest.KindNotification, notificationKind{p}},
		{manifest.KindPermission, permissionKind{p}},
		{manifest.KindURL, urlKind{p}},
		{manifest.KindAsync, asyncKind{p}},
		{manifest.KindConcurrency, concurrencyKind{p}},
		{manifest.KindProvisioned, provisionedKind{p}},
		{manifest.KindRuntimeManagement, runtimeKind{p}},
		{manifest.KindRole, roleKind{p}},
		{manifest.KindSecret, secretKind{p}},
		{manifest.KindParameter, parameterKind{p}},
		{manifest.KindLogGroup, logGroupKind{p}},
		{manifest.KindAlarm, alarmKind{p}},
		{manifest.KindTopic, topicKind{p}},
		{manifest.KindSubscription, subscriptionKind{p}}, // found by topics, queues and aliases
		{manifest.KindRule, ruleKind{p}},
		{manifest.KindSchedule, scheduleKind{p}},
		{manifest.KindAPI, apiKind{p}}, // looks at routes as well
		{manifest.KindRoute, routeKind{p}},
	}
}

// kindIn tells which kind an ARN is of, and its physical name.
func (p *Provider) kindIn(arn string) (kind, physical string, ok bool) {
	for _, k := range p.order {
		if l, is := k.kind.(listed); is {
			if name, found := l.physicalIn(arn); found {
				return k.name, name, true
			}
		}
	}
	return "", "", false
}

// resourceTypes are what the tagging API is asked for.
func (p *Provider) resourceTypes() []string {
	var out []string
	for _, k := range p.order {
		if l, is := k.kind.(listed); is {
			out = append(out, l.resourceType())
		}
	}
	return out
}

func (k functionKind) survey(ctx context.Context, s *sweep)  { s.functions(ctx) }
func (k queueKind) survey(ctx context.Context, s *sweep)     { s.queues(ctx) }
func (k roleKind) survey(ctx context.Context, s *sweep)      { s.roles(ctx) }
func (k parameterKind) survey(ctx context.Context, s *sweep) { s.parameters(ctx) }

func (k tableKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindTable, layer: layerTables, service: "DynamoDB", operation: "DescribeTable", cost: 3})
}

func (k bucketKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindBucket, layer: layerBuckets, service: "S3", operation: "HeadBucket", cost: 4})
}

// The bulk listing of secrets may lag by minutes; asking for each does not.
func (k secretKind) survey(ctx context.Context, s *sweep) {
	s.plain(ctx, plainly{kind: manifest.KindSecret, layer: layerSecrets, service: "Secrets Manager", operation: "DescribeSecret", cost: 1})
}

func (k functionKind) resourceType() string { return "lambda" } // mappings as well, for their tags
func (k queueKind) resourceType() string    { return "sqs" }
func (k tableKind) resourceType() string    { return "dynamodb:table" }
func (k bucketKind) resourceType() string   { return "s3" }

func (k functionKind) physicalIn(arn string) (string, bool) {
	return lastIn(arn, "lambda", "function:")
}
func (k tableKind) physicalIn(arn string) (string, bool)  { return lastIn(arn, "dynamodb", "table/") }
func (k bucketKind) physicalIn(arn string) (string, bool) { return lastIn(arn, "s3", "") }
func (k queueKind) physicalIn(arn string) (string, bool)  { return lastIn(arn, "sqs", "") }
