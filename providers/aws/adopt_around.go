package aws

import (
	"fmt"
	"reflect"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/sources/manifest"
)

// around drafts what stands on a function: on the qualifier its traffic goes
// through. What stands on another one is noted.
func (l *living) around() {
	triggers := map[string]any{}
	l.urls(triggers)
	l.mappings(triggers)
	l.permits(triggers)
	l.async()
	l.d.Spec["triggers"] = triggers
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
func (l *living) urls(triggers map[string]any) {
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

// permits takes the statements of the declared qualifier apart; those of a URL
// that anybody may call come along with it.
func (l *living) permits(triggers map[string]any) {
	for _, q := range sortedKeys(l.policies.of) {
		for _, statement := range l.policies.of[q].statements {
			sid, _ := statement["Sid"].(string)
			if l.mine("permission "+sid, q) {
				l.statements[sid] = livePermission(statement)
			}
		}
	}
	t, _ := triggers["url"].(map[string]any)
	url, _ := t["url"].(map[string]any)
	if url["authType"] != "NONE" {
		return
	}
	if same(l.statements[manifest.SidURL], publicURL) && same(l.statements[manifest.SidInvoke], publicInvoke) {
		delete(l.statements, manifest.SidURL)
		delete(l.statements, manifest.SidInvoke)
		return
	}
	url["publicStatements"] = false
	l.d.Leave("the URL lets anybody in by statements that are not those AWS asks for today (%s, %s): it may refuse calls", manifest.SidURL, manifest.SidInvoke)
}

// The statements of a URL that anybody may call, as AWS asks for them.
var (
	publicURL    = permission{action: "lambda:InvokeFunctionUrl", principal: "*", urlAuth: "NONE"}
	publicInvoke = permission{action: "lambda:InvokeFunction", principal: "*", viaURL: true}
)

func same(s *permission, want permission) bool {
	return s != nil && s.rest == nil && reflect.DeepEqual(*s, want)
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
