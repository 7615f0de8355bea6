package aws

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

var _ providers.Diagnoser = (*Provider)(nil)

// Diagnose tries what looking needs. It remembers nothing, and is not
// misled by what this provider remembers.
func (p *Provider) Diagnose(ctx context.Context, want []manifest.Resource) providers.Diagnosis {
	var d providers.Diagnosis
	t := &tries{codes: map[string]string{}, also: p.o.OnCall}
	o := p.o
	o.OnCall, o.Hearing = t.note, nil
	probe, err := New(o)
	if err != nil { // what made p makes another
		d.Reached = providers.Reached{Why: providers.OtherRefusal, Text: err.Error()}
		return d
	}
	if d.Reached, d.Clock = probe.reach(ctx); d.Reached.Why != "" {
		return d
	}
	d.Limits = probe.limits(ctx)
	probe.tryReads(ctx, want)
	d.Reads = t.reads()
	if p.o.HintQueue != "" {
		d.Hints = probe.hintPath(ctx, want)
	}
	if p.o.Deadman != nil {
		d.Switch = probe.switchRole(ctx, want)
	}
	return d
}

// tries are the calls that were made, and the worst that each led to.
type tries struct {
	also func(service, operation, code string)

	mu    sync.Mutex
	codes map[string]string // by action
}

func (t *tries) note(service, operation, code string) {
	if t.also != nil {
		t.also(service, operation, code)
	}
	if absentCodes[code] || code == notTried {
		code = "" // an answer: it is not there
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	action := actionOf(service, operation)
	if before := t.codes[action]; before == "" || kindByCode[before] != providers.Denied {
		t.codes[action] = code
	}
}

// notTried is the code of what an emulator does not know.
const notTried = "UnknownOperationException"

func (t *tries) reads() []providers.Read {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []providers.Read
	for _, action := range sortedKeys(t.codes) {
		code := t.codes[action]
		out = append(out, providers.Read{Action: action, Code: code, Denied: kindByCode[code] == providers.Denied})
	}
	return out
}

// actionOf is the right that a call needs, as IAM names it.
func actionOf(service, operation string) string {
	call := strings.ToLower(strings.ReplaceAll(service, " ", "")) + ":" + operation
	return orElse(rights.Action(call), call)
}

// reach asks who we are, and what time it is there.
func (p *Provider) reach(ctx context.Context) (providers.Reached, providers.Clock) {
	out, err := p.front.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return p.unreached(err), p.clockOf(err, middleware.Metadata{})
	}
	arn := awssdk.ToString(out.Arn)
	parts := strings.SplitN(arn, ":", 6)
	return providers.Reached{Account: awssdk.ToString(out.Account), Identity: parts[len(parts)-1]}, p.clockOf(nil, out.ResultMetadata)
}

// unreached says why nobody was reached.
func (p *Provider) unreached(err error) providers.Reached {
	r := providers.Reached{Text: classify(err).Error(), Why: providers.OtherRefusal}
	taking := p.o.Target.RoleArn != "" && operationName(innermost(err)) == "AssumeRole"
	switch code := codeOf(err); {
	case code == "ExpiredToken", code == "ExpiredTokenException", code == "RequestExpired", code == "TokenRefreshRequired":
		r.Why = providers.ExpiredCredentials
	case code == "RequestTimeTooSkewed", strings.Contains(r.Text, "Signature expired"), strings.Contains(r.Text, "Signature not yet current"):
		r.Why = providers.ClockRefused
	case taking && kindByCode[code] == providers.Denied && code != "InvalidClientTokenId" && code != "SignatureDoesNotMatch":
		r.Why = providers.RoleNotTaken
	case kindByCode[code] == providers.Denied:
		r.Why = providers.RefusedCredentials
	case code != "unreachable":
	case lacksCredentials(err):
		r.Why = providers.NoCredentials
	default:
		r.Why = providers.Unreachable
	}
	return r
}

func gotAnswer(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response)
}

// sent: a request was on its way when it failed.
func sent(err error) bool {
	var canceled *smithy.CanceledError
	var failed interface{ ConnectionError() bool }
	return errors.As(err, &canceled) || errors.As(err, &failed) && failed.ConnectionError()
}

// clockOf compares our clock with the time of an answer.
func (p *Provider) clockOf(err error, meta middleware.Metadata) providers.Clock {
	theirs, known := awsmiddleware.GetServerTime(meta)
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		if at, bad := http.ParseTime(response.Response.Header.Get("Date")); bad == nil {
			theirs, known = at, true
		}
	}
	if !known || theirs.IsZero() {
		return providers.Clock{}
	}
	return providers.Clock{Known: true, Ahead: p.o.Now().Sub(theirs).Truncate(time.Second)}
}

// keptFree is the concurrency that AWS leaves to functions that reserve none.
const keptFree = 100

// limits are those of the account that a release can run into.
func (p *Provider) limits(ctx context.Context) []providers.Limit {
	out, err := p.front.lambda.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil || out.AccountLimit == nil || out.AccountUsage == nil {
		return nil // what was refused is told with the rights
	}
	all, free := float64(out.AccountLimit.ConcurrentExecutions), float64(awssdk.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions))
	return []providers.Limit{
		{Name: "concurrency", Used: all - free, Allowed: max(0, all-keptFree), Unit: "reserved executions"},
		{Name: "code-storage", Used: float64(out.AccountUsage.TotalCodeSize), Allowed: float64(out.AccountLimit.TotalCodeSize), Unit: "bytes"},
	}
}

// sampleOf are a few resources of every kind that is there: the first, and
// what it lives on.
func sampleResources(want []manifest.Resource) []manifest.Resource {
	var out []manifest.Resource
	kinds := map[string]bool{}
	add := func(ref manifest.Ref) {
		i := slices.IndexFunc(want, func(r manifest.Resource) bool { return r.Ref == ref })
		if i >= 0 && !slices.ContainsFunc(out, func(r manifest.Resource) bool { return r.Ref == ref }) {
			out = append(out, want[i])
		}
	}
	for _, res := range want {
		if !kinds[res.Ref.Kind] {
			kinds[res.Ref.Kind] = true
			add(res.Ref)
			add(res.Parent)
		}
	}
	return out
}
