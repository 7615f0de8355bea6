package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// eventsOf are the names of the events that may have changed a kind of
// resource. Events carry a date and a version behind them
// (UpdateAlias20150331v2), which differ between accounts and years.
var eventsOf = map[string][]string{
	manifest.KindFunction:     {"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "DeleteFunction", "PublishVersion", "TagResource", "UntagResource", "PutFunctionCodeSigningConfig", "DeleteFunctionCodeSigningConfig", "PutFunctionRecursionConfig"},
	manifest.KindAlias:        {"CreateAlias", "UpdateAlias", "DeleteAlias"},
	manifest.KindTrigger:      {"CreateEventSourceMapping", "UpdateEventSourceMapping", "DeleteEventSourceMapping", "LambdaESMDisabled"},
	manifest.KindPermission:   {"AddPermission", "RemovePermission"},
	manifest.KindURL:          {"CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"},
	manifest.KindAsync:        {"PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig"},
	manifest.KindConcurrency:  {"PutFunctionConcurrency", "DeleteFunctionConcurrency"},
	manifest.KindRole:         {"CreateRole", "UpdateRole", "UpdateRoleDescription", "DeleteRole", "PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "UpdateAssumeRolePolicy", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary", "TagRole", "UntagRole"},
	manifest.KindQueue:        {"CreateQueue", "SetQueueAttributes", "DeleteQueue", "TagQueue", "UntagQueue", "AddPermission", "RemovePermission", "PurgeQueue"},
	manifest.KindTable:        {"CreateTable", "UpdateTable", "DeleteTable", "UpdateTimeToLive", "UpdateContinuousBackups", "TagResource", "UntagResource"},
	manifest.KindBucket:       {"CreateBucket", "DeleteBucket", "PutBucketVersioning", "PutBucketPublicAccessBlock", "DeleteBucketPublicAccessBlock", "PutBucketTagging", "DeleteBucketTagging", "PutBucketNotification"},
	manifest.KindNotification: {"PutBucketNotification"},
	manifest.KindTopic:        {"CreateTopic", "SetTopicAttributes", "DeleteTopic", "TagResource", "UntagResource", "AddPermission", "RemovePermission"},
	manifest.KindSubscription: {"Subscribe", "ConfirmSubscription", "SetSubscriptionAttributes", "Unsubscribe"},
	manifest.KindRule:         {"PutRule", "DeleteRule", "EnableRule", "DisableRule", "PutTargets", "RemoveTargets", "TagResource", "UntagResource"},
	manifest.KindSchedule:     {"CreateSchedule", "UpdateSchedule", "DeleteSchedule"},
	manifest.KindSecret:       {"CreateSecret", "UpdateSecret", "DeleteSecret", "RestoreSecret", "PutSecretValue"},
	manifest.KindParameter:    {"PutParameter", "DeleteParameter", "DeleteParameters"},

	manifest.KindProvisioned:       {"PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"},
	manifest.KindRuntimeManagement: {"PutRuntimeManagementConfig"},
	manifest.KindLayer:             {"PublishLayerVersion", "DeleteLayerVersion", "AddLayerVersionPermission", "RemoveLayerVersionPermission"},

	manifest.KindAlarm: {"PutMetricAlarm", "DeleteAlarms", "EnableAlarmActions", "DisableAlarmActions", "TagResource", "UntagResource"},
	manifest.KindLogGroup: {
		"CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey", "PutLogGroupDeletionProtection",
		"PutSubscriptionFilter", "DeleteSubscriptionFilter", "PutMetricFilter", "DeleteMetricFilter", "TagResource", "UntagResource",
	},
	manifest.KindWorkflow: {"CreateStateMachine", "UpdateStateMachine", "DeleteStateMachine", "PublishStateMachineVersion", "DeleteStateMachineVersion", "TagResource", "UntagResource"},

	manifest.KindWorkflowAlias: {"CreateStateMachineAlias", "UpdateStateMachineAlias", "DeleteStateMachineAlias", "DeleteStateMachine"},
}

// Actors lists who changed a resource since a time, newest first. The trail
// may lag by minutes, may take more than one look to be read, and is no proof
// that nobody did.
func (p *Provider) Actors(ctx context.Context, res manifest.Resource, since time.Time) ([]providers.Actor, error) {
	actors, err := p.trailOf(res.Ref.Kind).actors(ctx, trailSubject{kind: res.Ref.Kind, names: p.trailNames(res)}, since)
	if err != nil {
		return nil, fmt.Errorf("who changed %s: %w", res.Ref, err)
	}
	return actors, nil
}

// trailNames are the names the trail files a resource under: a function's for
// its children. A mapping that was deleted had another name than the one that
// is there now; its function's is the same.
func (p *Provider) trailNames(res manifest.Resource) []string {
	if res.Ref.Kind == manifest.KindTrigger {
		if uuid, ok := recall(&p.memory, p.memory.mappings, res.Ref); ok {
			return []string{uuid, res.Physical}
		}
	}
	if res.Ref.Kind == manifest.KindWorkflow || res.Ref.Kind == manifest.KindWorkflowAlias {
		return p.machineTrailNames(res)
	}
	if res.Ref.Kind == manifest.KindSubscription {
		return p.subscriptionNames(res)
	}
	if res.Ref.Kind == manifest.KindNotification {
		return notificationKind{p}.trailNames(res)
	}
	for _, ref := range []manifest.Ref{res.Ref, res.Parent} { // an extra is on its parent
		if known, ok := recall(&p.memory, p.memory.known, ref); ok && apiIn(known["arn"]) != "" {
			return []string{apiIn(known["arn"])}
		}
	}
	if res.Ref.Kind == manifest.KindQueue {
		if url, ok := recall(&p.memory, p.memory.queueURLs, res.Physical); ok {
			return []string{url}
		}
	}
	return []string{res.Physical}
}

// machineTrailNames: Step Functions' events name ARNs. An alias goes with its
// machine.
func (p *Provider) machineTrailNames(res manifest.Resource) []string {
	p.memory.mu.Lock()
	account := orElse(p.o.Target.Account, p.memory.account)
	p.memory.mu.Unlock()
	arn := p.machineIn(account, res.Physical)
	if res.Ref.Kind == manifest.KindWorkflowAlias {
		return []string{arn + ":" + orElse(res.Key, nameOf(res.Ref.Name)), arn}
	}
	return []string{arn}
}

// trailEvent is what is read of an event; the rest of it is nobody's business.
type trailEvent struct {
	EventID   string `json:"eventID"`
	EventName string `json:"eventName"`
	Source    string `json:"eventSource"`
	EventTime string `json:"eventTime"`
	Account   string `json:"recipientAccountId"`
	// Request and Response name what it is about; nothing of them is kept.
	Request  json.RawMessage `json:"requestParameters"`
	Response json.RawMessage `json:"responseElements"`

	ErrorCode    string `json:"errorCode"`
	ReadOnly     bool   `json:"readOnly"`
	RequestID    string `json:"requestID"`
	SourceIP     string `json:"sourceIPAddress"`
	UserIdentity struct {
		Type      string `json:"type"`
		ARN       string `json:"arn"`
		UserName  string `json:"userName"`
		InvokedBy string `json:"invokedBy"`
	} `json:"userIdentity"`
}

// Explains says whether an event can have made a difference at a field path.
func (p *Provider) Explains(a providers.Actor, ref manifest.Ref, path string) bool {
	if !changes(ref.Kind, a.Event) {
		return false
	}
	top, _, _ := strings.Cut(path, ".")
	switch {
	case ref.Kind == manifest.KindSecret || ref.Kind == manifest.KindParameter:
		// They are referred to, never declared: what differs is that they go.
		return strings.HasPrefix(a.Event, "Delete")
	case path == "":
		return true
	case ref.Kind == manifest.KindRole && path == "id":
		return a.Event == "CreateRole"
	case top == "versions" && ref.Kind == manifest.KindFunction:
		return a.Event == "PublishVersion"
	case top == "versions" && ref.Kind == manifest.KindWorkflow:
		return a.Event == "PublishStateMachineVersion"
	case ref.Kind == manifest.KindWorkflow && top == "tags":
		return a.Event == "TagResource" || a.Event == "UntagResource"
	case ref.Kind == manifest.KindWorkflow:
		return strings.HasSuffix(a.Event, "StateMachine")
	case ref.Kind != manifest.KindFunction:
		return true
	}
	switch top {
	case "code", "architectures":
		return a.Event == "UpdateFunctionCode"
	case "tags":
		return a.Event == "TagResource" || a.Event == "UntagResource"
	case "codeSigningConfigArn":
		return strings.HasSuffix(a.Event, "FunctionCodeSigningConfig")
	case "recursiveLoop":
		return a.Event == "PutFunctionRecursionConfig"
	}
	return a.Event == "UpdateFunctionConfiguration"
}

func (doc trailEvent) actor(event, username string, at time.Time) providers.Actor {
	return providers.Actor{
		Known: true, Name: actorName(doc, username), Event: undated(event), At: at, RequestID: doc.RequestID,
		Service: doc.UserIdentity.Type == "AWSService" || doc.UserIdentity.InvokedBy != "" || strings.HasSuffix(doc.SourceIP, ".amazonaws.com"),
	}
}

// undated is an event's name without the date and version of its API, which
// say nothing to people and differ between accounts and years:
// UpdateAlias20150331v2 is UpdateAlias.
func undated(event string) string {
	name := strings.TrimRight(event, "0123456789")
	if rest, ok := strings.CutSuffix(name, "v"); ok && name != event {
		if short := strings.TrimRight(rest, "0123456789"); short != rest {
			return short
		}
	}
	return name
}

func changes(kind, event string) bool {
	names, known := eventsOf[kind]
	if !known {
		return true // an extra's parent: anything may have made it
	}
	for _, name := range names {
		if rest, ok := strings.CutPrefix(event, name); ok && (rest == "" || rest[0] >= '0' && rest[0] <= '9') {
			return true
		}
	}
	return false
}

// actorName is the part of an identity's ARN that people know:
// assumed-role/Admin/alice, user/bob.
func actorName(doc trailEvent, username string) string {
	id := doc.UserIdentity
	if id.InvokedBy != "" && id.ARN == "" {
		return id.InvokedBy
	}
	if parts := strings.SplitN(id.ARN, ":", 6); len(parts) == 6 && parts[5] != "" {
		return parts[5]
	}
	return orElse(orElse(id.UserName, username), strings.ToLower(id.Type))
}
