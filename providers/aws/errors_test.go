package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"mooring.dev/providers"
)

// answered is an SDK's error for an operation.
func answered(operation, code, message string) error {
	return &smithy.OperationError{ServiceID: "Lambda", OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: message}}
}

func TestErrorKinds(t *testing.T) {
	for _, c := range []struct {
		code, message string
		kind          providers.Kind
	}{
		{"TooManyRequestsException", "Rate exceeded", providers.Throttled},
		{"ThrottlingException", "Rate exceeded", providers.Throttled},
		{"ResourceConflictException", "The operation cannot be performed at this time. An update is in progress for resource: x", providers.Conflict},
		{"PreconditionFailedException", "The RevisionId provided does not match", providers.Conflict},
		{"ResourceNotFoundException", "Function not found: x", providers.Conflict},
		{"NoSuchEntity", "The role cannot be found", providers.Conflict},
		{"InvalidParameterValueException", "2 validation errors", providers.Invalid},
		{"InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.", providers.Transient},
		{"InvalidParameterValueException", "The provided execution role does not have permissions to call ReceiveMessage on SQS", providers.Transient},
		{"InvalidParameterValueException", "Your request has been throttled by EC2", providers.Transient},
		{"InvalidParameterValueException", "CodeSHA256 (a) is different from current CodeSHA256 in $LATEST (b). Please try again", providers.Conflict},
		{"CodeStorageExceededException", "Code storage limit exceeded.", providers.Invalid},
		{"MalformedPolicyDocument", "Syntax errors in policy.", providers.Invalid},
		{"AccessDeniedException", "User x is not authorized to perform: lambda:UpdateAlias on resource: y", providers.Denied},
		{"ExpiredTokenException", "The security token included in the request is expired", providers.Transient},
		{"ServiceException", "An error occurred and the request cannot be processed.", providers.Transient},
		{"SomethingNewException", "who knows", providers.Transient},
	} {
		if got := providers.KindOf(classify(answered("UpdateAlias", c.code, c.message))); got != c.kind {
			t.Errorf("%s %q is %v, want %v", c.code, c.message, got, c.kind)
		}
	}
	if err := classify(fmt.Errorf("dial: %w", context.Canceled)); !errors.Is(err, context.Canceled) {
		t.Error("a cancelled call no longer says so")
	}
	if providers.KindOf(classify(errors.New("connection refused"))) != providers.Transient {
		t.Error("no answer is not transient")
	}
}

// TestErrorsEchoNoSecret: AWS repeats the whole environment in one message.
func TestErrorsEchoNoSecret(t *testing.T) {
	err := classify(answered("UpdateFunctionConfiguration", "InvalidParameterValueException",
		`Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {"STRIPE_KEY":"sk_live_123"}`))
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "sk_live_123") {
		t.Errorf("the message holds a secret: %v", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), "sk_live_123") {
			t.Errorf("a cause holds a secret: %v", e)
		}
	}
	if !strings.Contains(err.Error(), "4KB limit") {
		t.Errorf("the message no longer says what was wrong: %v", err)
	}
	other := classify(answered("CreateFunction", "ValidationException",
		`1 validation error detected: Value '{PASSWORD=hunter2}' at 'environment.variables' failed to satisfy constraint`))
	if strings.Contains(other.Error(), "hunter2") {
		t.Errorf("the message holds a secret: %v", other)
	}
	// In other words: only who sent it knows what it is.
	said := classifyHiding(answered("UpdateFunctionConfiguration", "InvalidParameterValueException", `hunter2 and "a\"b\u003cc" and on are not taken, eu-west-1 is`), []string{"hunter2", "hunter22", `a"b<c`, "on", ""})
	if text := said.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, `u003cc`) || !strings.Contains(text, "and on are not taken, eu-west-1 is") {
		t.Errorf("the message is %v", said)
	}
}

func TestDeniedNamesTheMissingAction(t *testing.T) {
	for _, c := range []struct {
		operation, code, message string
		want, without            string
	}{
		{"PublishVersion", "AccessDeniedException", "no identity-based policy allows it", "missing action: lambda:PublishVersion; `mooring iam --capability manage`", ""},
		{"Invoke", "AccessDeniedException", "no", "missing action: lambda:InvokeFunction; `mooring iam --capability check`", ""},
		{"DeleteFunction", "AccessDeniedException", "User u is not authorized to perform: lambda:DeleteFunction on resource: f", "`mooring iam --capability delete`", "missing action"},
		{"CreateFunction", "AccessDeniedException", "User u is not authorized to perform: iam:PassRole on resource: r because no", "`mooring iam --capability manage`", "lambda:CreateFunction;"},
		{"GetFunction", "AccessDeniedException", "User u is not authorized to perform: kms:Decrypt on resource: k", "kms:Decrypt", "mooring iam"},
		{"GetFunction", "InvalidSignatureException", "the clock is wrong", "the clock is wrong", "mooring iam"},
	} {
		err := classify(answered(c.operation, c.code, c.message))
		if text := err.Error(); !strings.Contains(text, c.want) || c.without != "" && strings.Contains(text, c.without) || providers.KindOf(err) != providers.Denied {
			t.Errorf("%s: %v: want %q, and not %q", c.operation, err, c.want, c.without)
		}
	}
}

func TestRateRefusalsAreToldFromConcurrency(t *testing.T) {
	rate := &lambdatypes.TooManyRequestsException{Reason: lambdatypes.ThrottleReasonCallerRateLimitExceeded}
	busy := &lambdatypes.TooManyRequestsException{Reason: lambdatypes.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded}
	if !isRateRefusal(rate) {
		t.Error("a refusal for the caller's rate is not seen as one")
	}
	if isRateRefusal(busy) {
		t.Error("a function at its concurrency slows the control plane")
	}
}
