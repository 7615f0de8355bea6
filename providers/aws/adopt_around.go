package aws

import (
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

// around drafts what stands on a function: on the qualifier its traffic goes
// through. What stands on another one is noted.
func (l *living) around() {
	triggers, permissions := map[string]any{}, map[string]any{}
	l.urls(triggers, permissions)
	l.mappings(triggers)
	l.permissions(permissions, triggers)
	l.async()
	for key, part := range map[string]map[string]any{"triggers": triggers, "permissions": permissions} {
		if len(part) > 0 {
			l.d.Spec[key] = part
		}
	}
}

// mine: the qualifier is the one that is declared; others are noted.
func (l *living) mine(what, qualifier string) bool {
	if qualifier == l.qualifier() {
		return true
	}
	on, declared := "alias "+qualifier, "the function itself"
	if qualifier == "" {
		on = "the function itself"
	}
	if l.alias != nil {
		declared = "alias " + l.qualifier()
	}
	l.d.Leave("%s is on %s, and %s is declared: it stays as it is, and drift tells of it", what, on, declared)
	return false
}

func (l *living) mappings(triggers map[string]any) {
	for i := range l.own {
		c := &l.own[i]
		_, q := functionOf(awssdk.ToString(c.FunctionArn))
		source, uuid := awssdk.ToString(c.EventSourceArn), awssdk.ToString(c.UUID)
		what := fmt.Sprintf("the mapping %s of %s", uuid, orElse(source, "a self-managed source"))
		if !l.mine(what, q) {
			continue
		}
		trigger, ok := l.mapping(c, what)
		if !ok {
			continue
		}
		triggers[freeKey(triggers, keyName(nameOfARN(source)))] = trigger
		l.a.need(source)
	}
}

// mapping is a mapping as a trigger; false, and noted, when its source is of
// no kind that a manifest knows.
func (l *living) mapping(c *types.EventSourceMappingConfiguration, what string) (map[string]any, bool) {
	m := liveMapping(c)
	source := manifest.Value{Literal: m.source}
	spec := &manifest.TriggerSpec{
		Enabled: m.enabled, BatchSize: m.batchSize, MaximumBatchingWindowInSeconds: m.window,
		FunctionResponseTypes: m.responses, FilterPatterns: m.filters, MaximumConcurrency: m.concurrency, KmsKeyArn: m.kmsKey, MetricsConfig: m.metrics,
	}
	switch {
	case strings.HasPrefix(m.source, "arn:") && serviceOf(m.source) == "sqs":
		spec.Queue = source
	case m.reading != nil && serviceOf(m.source) == "dynamodb":
		spec.Table = source
	case m.reading != nil && serviceOf(m.source) == "kinesis":
		spec.Stream = source
	default:
		l.d.Leave("%s: triggers of such a source are not declared here; it stays as it is", what)
		return nil, false
	}
	if r := m.reading; r != nil {
		l.reads(spec, r)
	}
	if c.FilterCriteria == nil && (c.FilterCriteriaError != nil || m.kmsKey != "") {
		l.d.Leave("%s: its filters are encrypted and could not be read; write them down, or the first plan takes them away", what)
	}
	if c.ProvisionedPollerConfig != nil {
		l.d.Leave("%s: its provisioned pollers are not managed; they stay as they are", what)
	}
	out, err := manifest.SpecOf(spec)
	if err != nil {
		l.d.Leave("%s: %v", what, err)
		return nil, false
	}
	delete(out, "alias")
	return out, true
}

// reads carries over how a stream is read.
func (l *living) reads(spec *manifest.TriggerSpec, r *reading) {
	spec.StartingPosition, spec.StartingPositionTimestamp = r.position, r.timestamp
	spec.ParallelizationFactor, spec.BisectBatchOnFunctionError = r.parallel, r.bisect
	spec.MaximumRetryAttempts, spec.MaximumRecordAgeInSeconds, spec.TumblingWindowInSeconds = &r.retries, r.age, r.tumbling
	if r.onFailure != "" {
		spec.OnFailure = &manifest.Value{Literal: r.onFailure}
		l.a.need(r.onFailure)
	}
}

// serviceOf is the service an ARN is of; "" for what is none.
func serviceOf(arn string) string {
	parts := strings.SplitN(arn, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}

// urls drafts the function's URL. The statements of one that anybody may call
// are made along with it.
func (l *living) urls(triggers, permissions map[string]any) {
	for i := range l.layers.urls {
		c := &l.layers.urls[i]
		_, q := functionOf(awssdk.ToString(c.FunctionArn))
		if !l.mine("the URL", q) {
			continue
		}
		u := liveURL(c)
		url := map[string]any{"authType": u.authType, "invokeMode": u.invokeMode}
		if c.Cors != nil {
			cors, err := manifest.SpecOf(&manifest.Cors{AllowCredentials: u.credentials, AllowHeaders: u.headers, AllowMethods: u.methods, AllowOrigins: u.origins, ExposeHeaders: u.exposed, MaxAge: u.maxAge})
			if err == nil && len(cors) > 0 {
				url["cors"] = cors
			}
		}
		triggers["url"] = map[string]any{"url": url}
	}
}

func (l *living) permissions(permissions, triggers map[string]any) {
	for _, q := range sortedKeys(l.policies.of) {
		for _, statement := range l.policies.of[q].statements {
			sid, _ := statement["Sid"].(string)
			if l.mine("permission "+sid, q) {
				l.permission(permissions, sid, livePermission(statement))
			}
		}
	}
	t, _ := triggers["url"].(map[string]any)
	url, _ := t["url"].(map[string]any)
	if url["authType"] != "NONE" {
		return
	}
	if same(permissions[manifest.SidURL], publicURL) && same(permissions[manifest.SidInvoke], publicInvoke) {
		delete(permissions, manifest.SidURL) // they come along with the URL
		delete(permissions, manifest.SidInvoke)
		return
	}
	url["publicStatements"] = false
	l.d.Leave("the URL lets anybody in by statements that are not those AWS asks for today (%s, %s): it may refuse calls", manifest.SidURL, manifest.SidInvoke)
}

// The statements of a URL that anybody may call, as AWS asks for them.
var (
	publicURL    = map[string]any{"action": "lambda:InvokeFunctionUrl", "principal": "*", "functionUrlAuthType": "NONE"}
	publicInvoke = map[string]any{"action": "lambda:InvokeFunction", "principal": "*", "invokedViaFunctionUrl": true}
)

func same(x any, y map[string]any) bool { return canonicalJSON(x) == canonicalJSON(y) }

func (l *living) permission(permissions map[string]any, sid string, p *permission) {
	switch {
	case p.rest != nil:
		l.d.Leave("permission %s says what AddPermission cannot; it stays as it is, and drift tells of it", sid)
		return
	case p.token != "":
		l.d.Leave("permission %s holds an event source token, which is not written down; it stays as it is, and drift tells of it", sid)
		return
	}
	out := map[string]any{"action": p.action, "principal": accountOf(p.principal)}
	for key, value := range map[string]string{
		"sourceArn": p.sourceArn, "sourceAccount": p.sourceAccount, "principalOrgID": p.orgID, "functionUrlAuthType": p.urlAuth,
	} {
		if value != "" {
			out[key] = value
		}
	}
	if p.viaURL {
		out["invokedViaFunctionUrl"] = true
	}
	permissions[sid] = out
	if calling, undeclared := callers[p.principal]; undeclared {
		l.d.Leave("permission %s lets %s call: what calls (%s) is not declared here, and stays as it is", sid, p.principal, orElse(p.sourceArn, calling))
	}
}

// callers are services whose part of a trigger lies outside the function.
var callers = map[string]string{
	"sns.amazonaws.com": "a subscription", "events.amazonaws.com": "a rule", "s3.amazonaws.com": "a bucket's notification",
	"apigateway.amazonaws.com": "an API's integration", "scheduler.amazonaws.com": "a schedule", "logs.amazonaws.com": "a subscription filter",
	"elasticloadbalancing.amazonaws.com": "a target group", "iot.amazonaws.com": "a rule", "cognito-idp.amazonaws.com": "a user pool",
}

// accountOf writes an account's root as people do: the account.
func accountOf(principal string) string {
	if rest, ok := strings.CutPrefix(principal, "arn:aws:iam::"); ok {
		if account, isRoot := strings.CutSuffix(rest, ":root"); isRoot && accountID.MatchString(account) {
			return account
		}
	}
	return principal
}

func (l *living) async() {
	for i := range l.layers.async {
		c := &l.layers.async[i]
		if !l.mine("the asynchronous configuration", asyncQualifier(c)) {
			continue
		}
		a := liveAsync(c)
		out := map[string]any{}
		if c.MaximumEventAgeInSeconds != nil && a.age != defaultEventAge {
			out["maximumEventAgeInSeconds"] = a.age
		}
		for key, arn := range map[string]string{"onSuccess": a.onSuccess, "onFailure": a.onFailure} {
			if arn != "" {
				out[key] = arn
				l.a.need(arn)
			}
		}
		if a.retries != defaultRetries || len(out) == 0 {
			out["maximumRetryAttempts"] = a.retries
		}
		l.d.Spec["asyncInvoke"] = out
	}
}

// keyName makes a trigger's key of any name.
func keyName(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, strings.TrimSuffix(name, ".fifo"))
	return orElse(clean[:min(len(clean), 60)], "source")
}

func freeKey(taken map[string]any, key string) string {
	for i, try := 2, key; ; i++ {
		if _, there := taken[try]; !there {
			return try
		}
		try = fmt.Sprint(key, "-", i)
	}
}

// maybeSecret keeps what may be the address of a secret or a parameter.
func (a *adoption) maybeSecret(value string) {
	if strings.HasPrefix(value, "arn:") && strings.Contains(value, ":secretsmanager:") || strings.HasPrefix(value, "/") && len(value) < 1012 && !strings.ContainsAny(value, " :?*") {
		a.mu.Lock()
		a.secret[value] = true
		a.mu.Unlock()
	}
}
