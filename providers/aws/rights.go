package aws

import (
	"fmt"
	"slices"
	"strings"

	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// ARNs that rows of several kinds are about.
var (
	everything    = []string{rights.Everything}
	functionARN   = []string{"arn:{partition}:lambda:{region}:{account}:function:{name}", "arn:{partition}:lambda:{region}:{account}:function:{name}:*"}
	functionOfARN = []string{
		"arn:{partition}:lambda:{region}:{account}:function:{name:Function}", "arn:{partition}:lambda:{region}:{account}:function:{name:Function}:*",
	}
	mappingARN = []string{"arn:{partition}:lambda:{region}:{account}:event-source-mapping:*"}
	signingARN = []string{"arn:{partition}:lambda:{region}:{account}:code-signing-config:*"}
	layerARN   = []string{"arn:{partition}:lambda:{region}:{account}:layer:{name}"}
	queueARN   = []string{"arn:{partition}:sqs:{region}:{account}:{name}"}
	bucketARN  = []string{"arn:{partition}:s3:::{name}"}
	topicARN   = []string{"arn:{partition}:sns:{region}:{account}:{name}"}
	machineARN = []string{"arn:{partition}:states:{region}:{account}:stateMachine:{name}", "arn:{partition}:states:{region}:{account}:stateMachine:{name}:*"}
	apiARN     = []string{"arn:{partition}:apigateway:{region}::/apis", "arn:{partition}:apigateway:{region}::/apis/*"}
	apiPartARN = []string{"arn:{partition}:apigateway:{region}::/apis/*/*"}
	roleARN    = []string{"arn:{partition}:iam::{account}:role/{name}", "arn:{partition}:iam::{account}:role/*/{name}"} // with a path, too
)

func toObserve(on []string, calls ...string) rights.Row {
	return rights.Row{For: rights.Observe, On: on, Calls: calls}
}

func toCheck(on []string, calls ...string) rights.Row {
	return rights.Row{For: rights.Check, On: on, Calls: calls}
}

func toManage(on []string, calls ...string) rights.Row {
	return rights.Row{For: rights.Manage, On: on, Calls: calls}
}

func toDetach(on []string, calls ...string) rights.Row {
	return rights.Row{For: rights.Detach, On: on, Calls: calls}
}

func toDelete(on []string, calls ...string) rights.Row {
	return rights.Row{For: rights.Delete, On: on, Calls: calls}
}

func because(row rights.Row, why string) rights.Row {
	row.Why = why
	return row
}

// always rows list what the tagging API does not know.
func always(row rights.Row) rights.Row {
	row.Always, row.Why = true, "in every survey: what is declared no more is found by it"
	return row
}

// unbound rows are not needed for what is only bound to.
func unbound(row rights.Row) rights.Row {
	row.When = func(res manifest.Resource) bool { return !res.Bound() }
	return row
}

// onMappings holds actions on event source mappings, which have no names, to
// those of the functions.
func onMappings(row rights.Row) rights.Row {
	row.Where = rights.Condition{"ArnLike": {"lambda:FunctionArn": functionARN}}
	if row.Why == "" {
		row.Why = "held to the functions by the condition"
	}
	return row
}

// passRole lets a service be given the roles that resources name.
func passRole(service string, roles func(manifest.Resource) []manifest.Value) rights.Row {
	return rights.Row{
		For: rights.Manage, Also: []string{"iam:PassRole"}, On: roleARN, Of: roles,
		Where: rights.Condition{"StringEquals": {"iam:PassedToService": {service}}}, Why: "the roles that are named, and to this service alone",
	}
}

// artifacts is reading the code that is published, and what it says it
// expects.
func artifacts() rights.Row {
	return rights.Row{
		For: rights.Observe, Also: []string{"s3:GetObject", "s3:GetObjectVersion"}, On: []string{"arn:{partition}:s3:::{name}/*"}, Of: artifactsOf,
		Why: "code, the contract in it, and the statements beside it",
	}
}

func artifactsOf(res manifest.Resource) []manifest.Value {
	var a manifest.Artifact
	switch spec := res.Spec.(type) {
	case *manifest.FunctionConfig:
		a = spec.Artifact
	case *manifest.LayerSpec:
		a = spec.Artifact
	}
	rest, ok := strings.CutPrefix(a.URI, "s3://")
	if !ok {
		return nil
	}
	bucket, key, _ := strings.Cut(rest, "/")
	folder := key[:strings.LastIndexByte(key, '/')+1]
	return []manifest.Value{{Literal: "arn:{partition}:s3:::" + bucket + "/" + folder + "*"}}
}

// anyVersion makes of the versions of layers all of theirs: the next release
// names another.
func anyVersion(layers []manifest.Value) []manifest.Value {
	out := make([]manifest.Value, 0, len(layers))
	for _, v := range layers {
		if i := strings.LastIndexByte(v.Literal, ':'); i >= 0 {
			v.Literal = v.Literal[:i] + ":*"
		}
		out = append(out, v)
	}
	return out
}

// Settings are those of an environment that need rights of their own.
type Settings struct {
	HintQueue string // as Options.HintQueue; "*" stands for one of any name
	Deadman   *manifest.Deadman
}

// AnySettings are those of an environment with everything switched on.
func AnySettings() Settings {
	return Settings{HintQueue: "*", Deadman: &manifest.Deadman{Group: "*", Role: "arn:{partition}:iam::{account}:role/*"}}
}

// roleIn is the ARN of the role that switches act as; one of the repository by
// its name among what is declared.
func (s Settings) roleIn(all []manifest.Resource) string {
	for _, res := range all {
		if res.Ref.String() == s.Deadman.Role {
			return "arn:{partition}:iam::{account}:role/" + res.Physical
		}
	}
	if strings.HasPrefix(s.Deadman.Role, manifest.KindRole+"/") {
		return "arn:{partition}:iam::{account}:role/*" // not declared yet
	}
	return s.Deadman.Role
}

// sharedRights are what every environment needs, whatever it declares.
func sharedRights(hintQueue string) []rights.Row {
	rows := []rights.Row{
		because(toObserve(everything, "resourcegroupstaggingapi:GetResources"), "what else is owned; AWS knows no resources for it"),
		because(toObserve(everything, "lambda:ListFunctions", "lambda:ListEventSourceMappings"), "the bulk of a survey; AWS knows no resources for it"),
		because(toObserve(everything, "cloudtrail:LookupEvents"), "who made a difference; AWS knows no resources for it"),
		toObserve(everything, "sts:GetCallerIdentity"),
		because(toObserve(everything, "lambda:GetAccountSettings", "eventbridge:ListRuleNamesByTarget", "eventbridge:TestEventPattern", "cloudtrail:DescribeTrails"),
			"mooring doctor; AWS knows no resources for it"),
		because(toObserve([]string{"arn:{partition}:cloudtrail:*:*:trail/*"}, "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"), "mooring doctor"),
	}
	if hintQueue == "" {
		return rows
	}
	queue := "arn:{partition}:sqs:{region}:{account}:" + hintQueue
	if strings.HasPrefix(hintQueue, "arn:") {
		queue = hintQueue
	}
	return append(rows, because(toObserve([]string{"arn:{partition}:events:{region}:{account}:rule/*"}, "eventbridge:DescribeRule", "eventbridge:ListRules", "eventbridge:ListTargetsByRule"),
		"mooring doctor: which rule sends the hints"),
		because(toObserve([]string{queue}, "sqs:DeleteMessageBatch", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"), "hints of changes"))
}

// Grants are what an environment in a scope needs for some capabilities, by
// the kinds it uses and its settings.
func Grants(s rights.Scope, of Settings, some []rights.Capability) []rights.Grant {
	s.Partition = manifest.Partition(s.Region)
	rows := sharedRights(of.HintQueue)
	if of.Deadman != nil {
		rows = append(rows, switchRights(of.Deadman, of.roleIn(s.Resources))...)
	}
	out := s.Grants("", rows, some)
	for _, k := range (&Provider{}).allKinds() {
		out = append(out, s.Grants(k.name, k.kind.rights(), some)...)
	}
	return out
}

// missingRight says which action was refused, unless the message does, and
// which capability has it. IAM names another action than the call's where it
// is passing a role that was refused.
func missingRight(message, call string) string {
	action, named := rights.Action(call), false
	if _, rest, ok := strings.Cut(message, "to perform: "); ok {
		if told, _, _ := strings.Cut(rest, " "); strings.Contains(told, ":") {
			action, named = strings.TrimRight(told, ".,;"), true
		}
	}
	having := capabilitiesOf(action)
	switch {
	case len(having) == 0 && named:
		return ""
	case len(having) == 0:
		return fmt.Sprintf(" (missing action: %s)", action)
	case named:
		return fmt.Sprintf(" (`mooring iam --capability %s` has it)", having[0])
	}
	return fmt.Sprintf(" (missing action: %s; `mooring iam --capability %s` has it)", action, having[0])
}

// capabilitiesOf are those an action is granted by, the one that needs least
// first.
func capabilitiesOf(action string) []rights.Capability {
	rows := sharedRights("*")
	for _, k := range (&Provider{}).allKinds() {
		rows = append(rows, k.kind.rights()...)
	}
	return slices.DeleteFunc(rights.All(), func(c rights.Capability) bool {
		return !slices.ContainsFunc(rows, func(row rights.Row) bool { return row.For == c && slices.Contains(row.Actions(), action) })
	})
}
