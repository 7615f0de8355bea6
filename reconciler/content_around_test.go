package reconciler

import (
	"fmt"
	"strings"
)

// surroundings are the resources of further kinds that a content declares
// beside its functions: which, by their place in aroundFunctions, and a number
// that stands in a field of each.
type surroundings struct {
	kinds, triggered uint
	turn             int
}

// aroundFunctions are manifests of every kind that is neither a function nor a
// queue, with the trigger of checkout that goes with each; @ is the number.
var aroundFunctions = []struct{ name, spec, trigger string }{
	{"Topic/news", `{displayName: "News @", subscriptions: {own: {queue: Queue/orders}}}`, "{topic: Topic/news}"},
	{"Rule/paid", `{description: "@", eventPattern: {source: [shop]}, targets: {own: {arn: Queue/orders}}}`, "{rule: {eventPattern: {source: [shop]}}}"},
	{"Schedule/nightly", `{scheduleExpression: rate(@ hours), target: {arn: Queue/orders}}`, "{schedule: rate(@ hours)}"},
	{"Workflow/flow", `{definition: {StartAt: Note, States: {Note: {Type: Pass, Comment: "@", End: true}}}, role: {statements: []}}`, ""},
	{"Api/front", `{description: "@"}`, "{api: Api/front, routes: [GET /]}"},
	{"Table/items", `{attributeDefinitions: {id: S}, keySchema: {hash: id}, billingMode: PAY_PER_REQUEST, streamSpecification: {streamViewType: NEW_IMAGE}, pointInTimeRecovery: {recoveryPeriodInDays: @}}`, "{table: Table/items, startingPosition: LATEST}"},
	{"Bucket/uploads", `{versioning: Enabled, tags: {n: "@"}}`, "{bucket: Bucket/uploads, events: ['s3:ObjectCreated:*']}"},
	{"LogGroup/audit", `{retentionInDays: 30, tags: {n: "@"}}`, ""},
	{"Alarm/failing", `{namespace: Shop, metricName: Failed, statistic: Sum, period: 60, evaluationPeriods: 1, threshold: @, comparisonOperator: GreaterThanThreshold}`, ""},
	{"Layer/lib", `{artifact: {uri: "file:lib.zip", digest: "sha256:DIGEST"}, compatibleRuntimes: [provided.al2023]}`, ""},
	{"Role/worker", `{description: "@", statements: [{Sid: a, Effect: Allow, Action: ["sqs:SendMessage"], Resource: {ref: Queue/orders}}], inlinePolicies: {more: {Statement: [{Effect: Allow, Action: ["sqs:ReceiveMessage"], Resource: "*"}]}}}`, ""},
}

func allAround() surroundings {
	all := uint(1)<<len(aroundFunctions) - 1
	return surroundings{kinds: all, triggered: all, turn: 2}
}

func (s surroundings) has(i int) bool { return s.kinds>>i&1 == 1 }

// write adds the manifests to a tree.
func (s surroundings) write(files map[string]string) {
	for i, a := range aroundFunctions {
		if s.has(i) {
			kind, name, _ := strings.Cut(a.name, "/")
			files[strings.ToLower(kind)+".yaml"] = "apiVersion: mooring.dev/v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + s.numbered(a.spec) + "\n"
		}
	}
}

func (s surroundings) numbered(text string) string {
	return strings.NewReplacer("@", fmt.Sprint(s.turn), "DIGEST", code(s.turn)[len("sha256:"):]).Replace(text)
}

// feeds is true when one of them calls checkout.
func (s surroundings) feeds() bool { return s.triggers() != "" }

func (s surroundings) triggers() string {
	var b strings.Builder
	for i, a := range aroundFunctions {
		if s.has(i) && s.triggered>>i&1 == 1 && a.trigger != "" {
			kind, _, _ := strings.Cut(a.name, "/")
			fmt.Fprintf(&b, "    %s: %s\n", strings.ToLower(kind), s.numbered(a.trigger))
		}
	}
	return b.String()
}
