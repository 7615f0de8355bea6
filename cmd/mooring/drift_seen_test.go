package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/sources/manifest"
)

// seenBy are the calls that show each row of the catalogue, the soonest first;
// none: it is not looked for.
var seenBy = [len(catalogue)][]string{
	0: {"ListFunctions"}, 1: nil, 2: {"ListFunctions"}, 3: {"ListFunctions"}, 4: {"ListFunctions"}, 5: {"ListFunctions"}, 6: {"ListFunctions"},
	7: {"ListFunctions"}, 8: {"ListFunctions"}, 9: {"ListFunctions"}, 10: {"ListFunctions"}, 11: {"ListFunctions"}, 12: {"ListFunctions"},
	13: {"ListFunctions"}, 14: {"ListFunctions"}, 15: {"ListFunctions"}, 16: {"ListFunctions"}, 17: {"ListFunctions"}, 18: {"ListFunctions"},
	19: {"ListFunctions"}, 20: {"ListFunctions"}, 21: {"ListFunctions"}, 22: {"ListFunctions"}, // 23
	23: {"GetAccountAuthorizationDetails"}, 24: {"GetAccountAuthorizationDetails"}, 26: {"GetAccountAuthorizationDetails"},
	27: {"GetAccountAuthorizationDetails"}, // 28
	28: {"GetFunction"}, 29: {"ListProvisionedConcurrencyConfigs"}, 30: {"GetFunction", "ListAliases"}, 31: {"ListAliases"},
	32: {"GetFunction", "ListAliases"}, 33: {"ListVersionsByFunction"}, 35: {"ListFunctions"}, // 37
	37: {"ListEventSourceMappings"}, 38: {"ListEventSourceMappings"}, 39: {"ListEventSourceMappings"}, 40: {"ListEventSourceMappings"},
	41: {"ListEventSourceMappings"}, 42: {"ListEventSourceMappings"}, 43: {"ListEventSourceMappings"}, // 44
	44: {"GetPolicy"}, 45: {"GetPolicy"}, 46: {"ListFunctionUrlConfigs"}, 47: {"ListFunctionUrlConfigs"}, 48: {"ListFunctionEventInvokeConfigs"},
	49: {"GetFunction", "GetResources", "ListQueueTags"},                                                                                    // 50
	50: {"GetRuntimeManagementConfig"}, 52: {"ListFunctions"}, 53: {"GetFunctionRecursionConfig"}, 54: {"ListFunctionsByCodeSigningConfig"}, // 57
	57: {"GetQueueAttributes"}, 58: {"GetQueueAttributes"}, 59: {"GetQueueAttributes"}, 61: {"ListRules"}, 62: {"ListRules", "ListTargetsByRule"},
	63: {"ListSchedules", "GetSchedule"}, 64: {"GetSubscriptionAttributes", "ListSubscriptionsByTopic"}, 65: {"GetTopicAttributes"},
	66: {"GetBucketNotificationConfiguration"}, // 67
	67: {"DescribeSecret"}, 69: {"DescribeParameters"},
	70: {"DescribeStateMachine"}, 71: {"DescribeStateMachineAlias", "ListStateMachineAliases"}, 72: {"GetStages", "GetRoutes"}, // 73
	73: {"DescribeTable"}, 74: {"DescribeTable", "DescribeContinuousBackups", "DescribeTimeToLive"},
	76: {"DescribeLogGroups"}, 77: {"DescribeMetricFilters", "DescribeSubscriptionFilters"}, 78: {"DescribeAlarms"}, // 79
}

// layersSeen are the layers of looking, as docs/operations.md has them, each
// with its calls and how old what they told may become.
var layersSeen = []struct {
	layer, within string
	calls         []string
}{
	{"configuration", "`drift.interval`", []string{"ListFunctions"}},
	{"mappings", "`drift.interval`", []string{"ListEventSourceMappings"}},
	{"rules", "`drift.interval`", []string{"ListRules"}},
	{"schedules", "`drift.interval`", []string{"ListSchedules", "GetSchedule"}},
	{"state", "2 minutes", []string{"GetFunction"}},
	{"roles", "2 minutes", []string{"GetAccountAuthorizationDetails"}},
	{"logGroups", "2 minutes", []string{"DescribeLogGroups"}},
	{"alarms", "2 minutes", []string{"DescribeAlarms"}},
	{"logGroups", "5 minutes", []string{"DescribeMetricFilters"}},
	{"signing", "5 minutes", []string{"ListFunctionsByCodeSigningConfig"}},
	{"functions", "10 minutes", []string{"ListAliases", "ListVersionsByFunction", "ListFunctionUrlConfigs", "ListFunctionEventInvokeConfigs"}},
	{"policies", "10 minutes", []string{"GetPolicy"}},
	{"ownership", "10 minutes", []string{"GetResources"}},
	{"logFilters", "10 minutes", []string{"DescribeSubscriptionFilters"}},
	{"targets", "10 minutes", []string{"ListTargetsByRule"}},
	{"queues", "10 minutes", []string{"GetQueueAttributes", "ListQueueTags"}},
	{"topics", "10 minutes", []string{"GetTopicAttributes"}},
	{"subscriptions", "10 minutes", []string{"GetSubscriptionAttributes", "ListSubscriptionsByTopic"}},
	{"notifications", "10 minutes", []string{"GetBucketNotificationConfiguration"}},
	{"secrets", "10 minutes", []string{"DescribeSecret"}},
	{"parameters", "10 minutes", []string{"DescribeParameters"}},
	{"workflows", "10 minutes", []string{"DescribeStateMachine", "DescribeStateMachineAlias", "ListStateMachineAliases"}},
	{"apis", "10 minutes", []string{"GetStages", "GetRoutes"}},
	{"tables", "10 minutes", []string{"DescribeTable", "DescribeContinuousBackups", "DescribeTimeToLive"}},
	{"settings", "an hour", []string{"ListProvisionedConcurrencyConfigs", "GetRuntimeManagementConfig", "GetFunctionRecursionConfig"}},
}

// inEverySurvey are the listings that cost a row nothing: what they show, no
// other call shows sooner.
var inEverySurvey = []string{"ListFunctions", "ListEventSourceMappings", "ListRules"}

// eitherOf is the call, by row, that shows it only where another one did not
// have its turn sooner.
var eitherOf = map[int]string{33: "GetFunction", 50: "GetResources"}

// singly are the calls that show of one resource what a listing shows of all:
// while it is looked at for another reason, it may be seen by them first.
var singly = map[string][]string{
	"ListFunctions": {"GetFunction"}, "ListEventSourceMappings": {"GetEventSourceMapping"}, "ListRules": {"DescribeRule"},
	"GetAccountAuthorizationDetails": {"GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies"}, "ListAliases": {"GetAlias"},
	"ListFunctionUrlConfigs": {"GetFunctionUrlConfig"}, "ListFunctionEventInvokeConfigs": {"GetFunctionEventInvokeConfig"}, "ListSchedules": {"GetSchedule"},
	"ListSubscriptionsByTopic": {"GetSubscriptionAttributes"}, "ListFunctionsByCodeSigningConfig": {"GetFunctionCodeSigningConfig"},
}

// showed is true where a call, or one that shows the same of one resource,
// told of a row. GetFunction tells more than the listing of functions.
func (row *driftRow) showed(told map[string]bool, call string) bool {
	if told[call] {
		return true
	}
	if call == "ListFunctions" && slices.ContainsFunc(row.want, func(w wanted) bool {
		return !strings.HasPrefix(w.what, "Function/NAME ") || strings.Contains(w.what, " tags.")
	}) {
		return false
	}
	return slices.ContainsFunc(singly[call], func(one string) bool { return told[one] })
}

// ofInterest is true for a call that could show a row.
func ofInterest(call string) bool {
	for _, ones := range singly {
		if slices.Contains(ones, call) {
			return true
		}
	}
	return withinOf(call) != ""
}

// withinOf is how long a call may take to show something, "" for a call that
// belongs to no layer.
func withinOf(call string) string {
	for _, l := range layersSeen {
		if slices.Contains(l.calls, call) {
			return l.within
		}
	}
	return ""
}

// checkSeen holds what the page says of how rows are found against what
// Mooring was told: of each call that is named, the answer about a resource of
// the row was another after the hands than before.
func (w *driftWorld) checkSeen(t *testing.T, rows []driftRow) {
	told := w.answered(rows)
	for number, calls := range seenBy {
		shown := map[string]bool{}
		made := false
		for i := range rows {
			if rows[i].number != fmt.Sprint(number+1) || len(rows[i].want) == 0 && rows[i].unread == nil {
				continue
			}
			made = true
			for _, call := range inEverySurvey {
				if told[rows[i].name][call] && len(rows[i].want) == 1 && !slices.Contains(calls, call) {
					t.Errorf("row %d: %s shows %s sooner than %v", number+1, call, rows[i].name, calls)
				}
			}
			for _, call := range calls {
				shown[call] = shown[call] || rows[i].showed(told[rows[i].name], call)
			}
			if !slices.ContainsFunc(calls, func(call string) bool { return rows[i].showed(told[rows[i].name], call) }) {
				t.Errorf("row %d, %s: none of %v showed it; shown by %v", number+1, rows[i].name, calls, sortedSet(told[rows[i].name]))
			}
		}
		if !made {
			continue
		}
		for _, call := range calls {
			if !shown[call] && call != eitherOf[number+1] {
				t.Errorf("row %d: %s showed nothing", number+1, call)
			}
		}
	}
	d, err := w.daemon.Drift(t.Context(), sweepEnvironment)
	check(t, err)
	for _, l := range layersSeen {
		if _, told := d.Coverage.Layers[l.layer]; !told {
			t.Errorf("no layer is called %s: %v", l.layer, d.Coverage.Layers)
		}
	}
}

// sortedSet are the members of a set.
func sortedSet(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// unheard are the rows of which no word comes by way of a queue in the region
// of the environment: IAM's events come in one region only.
var unheard = []string{"24", "25", "27", "28"}

// listen has a second provider hear of what the first one's environment
// declares, as a daemon with hints would.
func (w *driftWorld) listen(control string, commit string) {
	w.t.Helper()
	const queue = "listener"
	arn := "arn:aws:sqs:eu-west-1:111111111111:" + queue
	w.python.do("sqs", "create_queue", with{"QueueName": queue, "Attributes": with{"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}]}`}})
	w.python.do("events", "put_rule", with{"Name": queue, "EventPattern": `{"detail-type":["AWS API Call via CloudTrail"],"detail":{"readOnly":[false],"errorCode":[{"exists":false}]}}`})
	w.python.do("events", "put_targets", with{"Rule": queue, "Targets": []with{{"Id": "q", "Arn": arn}}})
	pipeline, err := manifest.LoadPipeline(fstest.MapFS{"mooring.yaml": &fstest.MapFile{Data: []byte(control)}})
	check(w.t, err)
	e, _ := pipeline.Environment(sweepEnvironment)
	e.Hints.Queue = queue
	snap, err := w.repo.Open(w.t.Context(), commit)
	check(w.t, err)
	rel, err := render(snap, pipeline, e)
	check(w.t, err)
	p := &platforms{
		place: &place{state: w.t.TempDir(), artifacts: w.files.dir}, instance: "listener", tokens: []byte("0123456789abcdef0123456789abcdef"),
		quota: quota.New(quota.Options{Share: 1, Background: 1, Scale: 1000}), onCall: func(string, string, string) {}, hearing: aws.NewHearing(),
	}
	w.listener, err = p.open(w.t.Context(), pipeline, e)
	check(w.t, err)
	_, err = w.listener.Survey(w.t.Context(), rel.Resources)
	check(w.t, err)
}

// checkHeard: of every row that the trail tells of, word comes without a look,
// but for those that come elsewhere.
func (w *driftWorld) checkHeard(t *testing.T, rows []driftRow) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	waiting := map[string]bool{}
	for i := range rows {
		told := slices.ContainsFunc(rows[i].want, func(want wanted) bool { return want.event != "" })
		if told && !slices.Contains(unheard, rows[i].number) {
			waiting[rows[i].name] = true
		}
	}
	for len(waiting) > 0 {
		hints, err := w.listener.(providers.Hinter).Hints(ctx)
		if err != nil {
			t.Fatalf("no word of %v: %v", sortedSet(waiting), err)
		}
		for _, h := range hints {
			for _, ref := range h.Refs {
				head, _, _ := strings.Cut(ref.Name, ".")
				name, _, _ := strings.Cut(head, "-x-")
				if h.Actor.Name != sweepActor {
					delete(waiting, name)
				}
				if i := slices.IndexFunc(rows, func(r driftRow) bool { return r.name == name }); i >= 0 && slices.Contains(unheard, rows[i].number) && ref.Kind == manifest.KindRole {
					t.Errorf("row %s: word of %s comes here", rows[i].number, ref)
				}
			}
		}
	}
}
