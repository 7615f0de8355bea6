package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"mooring.dev/providers"
)

// kindByCode is what AWS's error codes mean for what to do next. A code that
// is not here is transient: the unknown is tried again.
var kindByCode = map[string]providers.Kind{
	"TooManyRequestsException":                providers.Throttled,
	"Throttling":                              providers.Throttled,
	"ThrottlingException":                     providers.Throttled,
	"ThrottledException":                      providers.Throttled,
	"RequestThrottled":                        providers.Throttled,
	"RequestThrottledException":               providers.Throttled,
	"RequestLimitExceeded":                    providers.Throttled,
	"PriorRequestNotComplete":                 providers.Throttled,
	"SlowDown":                                providers.Throttled,
	"KmsThrottlingException":                  providers.Throttled,
	"AWS.SimpleQueueService.RequestThrottled": providers.Throttled,

	"PreconditionFailedException":                 providers.Conflict,
	"ResourceConflictException":                   providers.Conflict,
	"ResourceInUseException":                      providers.Conflict,
	"ResourceNotReadyException":                   providers.Conflict,
	"ConflictException":                           providers.Conflict,
	"ConcurrentModification":                      providers.Conflict,
	"ConcurrentModificationException":             providers.Conflict,
	"EntityAlreadyExists":                         providers.Conflict,
	"EntityTemporarilyUnmodifiable":               providers.Conflict,
	"DeleteConflict":                              providers.Conflict,
	"BucketAlreadyOwnedByYou":                     providers.Conflict,
	"OperationAborted":                            providers.Conflict,
	"OperationAbortedException":                   providers.Conflict,
	"ResourceAlreadyExistsException":              providers.Conflict,
	"ContinuousBackupsUnavailableException":       providers.Transient,
	"QueueAlreadyExists":                          providers.Conflict,
	"QueueNameExists":                             providers.Conflict,
	"StateMachineAlreadyExists":                   providers.Conflict,
	"AWS.SimpleQueueService.QueueNameExists":      providers.Conflict,
	"AWS.SimpleQueueService.QueueDeletedRecently": providers.Transient,
	"QueueDeletedRecently":                        providers.Transient,

	"BadRequestException":                           providers.Invalid,
	"InvalidOperationException":                     providers.Invalid,
	"InvalidParameterValueException":                providers.Invalid,
	"InvalidParameterValue":                         providers.Invalid,
	"InvalidParameterException":                     providers.Invalid,
	"InvalidParameterCombination":                   providers.Invalid,
	"InvalidRequestContentException":                providers.Invalid,
	"InvalidRequestException":                       providers.Invalid,
	"InvalidInput":                                  providers.Invalid,
	"InvalidBucketName":                             providers.Invalid,
	"BucketAlreadyExists":                           providers.Invalid,
	"BucketNotEmpty":                                providers.Invalid,
	"InvalidAttributeName":                          providers.Invalid,
	"InvalidAttributeValue":                         providers.Invalid,
	"InvalidCodeSignatureException":                 providers.Invalid,
	"InvalidZipFileException":                       providers.Invalid,
	"CodeSigningConfigNotFoundException":            providers.Invalid,
	"CodeStorageExceededException":                  providers.Invalid,
	"CodeVerificationFailedException":               providers.Invalid,
	"PolicyLengthExceededException":                 providers.Invalid,
	"PolicyNotAttachable":                           providers.Invalid,
	"ProvisionedConcurrencyConfigNotFoundException": providers.Invalid,
	"LimitExceeded":                                 providers.Invalid,
	"LimitExceededException":                        providers.Invalid,
	"MalformedPolicyDocument":                       providers.Invalid,
	"MissingParameter":                              providers.Invalid,
	"RequestTooLargeException":                      providers.Invalid,
	"RequestEntityTooLargeException":                providers.Invalid,
	"UnmodifiableEntity":                            providers.Invalid,
	"UnsupportedMediaTypeException":                 providers.Invalid,
	"UnsupportedOperation":                          providers.Invalid,
	"ValidationError":                               providers.Invalid,
	"ValidationException":                           providers.Invalid,
	"InvalidArn":                                    providers.Invalid,
	"InvalidDefinition":                             providers.Invalid,
	"InvalidEncryptionConfiguration":                providers.Invalid,
	"InvalidExecutionInput":                         providers.Invalid,
	"InvalidLoggingConfiguration":                   providers.Invalid,
	"InvalidName":                                   providers.Invalid,
	"InvalidTracingConfiguration":                   providers.Invalid,
	"MissingRequiredParameter":                      providers.Invalid,
	"ServiceQuotaExceededException":                 providers.Invalid,
	"StateMachineLimitExceeded":                     providers.Invalid,
	"StateMachineTypeNotSupported":                  providers.Invalid,
	"TooManyTags":                                   providers.Invalid,
	"KmsInvalidStateException":                      providers.Invalid,

	"ConcurrentAccess":             providers.Conflict,
	"FilterPolicyLimitExceeded":    providers.Invalid,
	"InvalidEventPatternException": providers.Invalid,
	"InvalidParameter":             providers.Invalid,
	"InvalidSecurity":              providers.Invalid,
	"KMSAccessDenied":              providers.Denied,
	"KMSDisabled":                  providers.Invalid,
	"KMSInvalidState":              providers.Invalid,
	"KMSNotFound":                  providers.Invalid,
	"KMSThrottling":                providers.Throttled,
	"ManagedRuleException":         providers.Denied,
	"ParameterValueInvalid":        providers.Invalid,
	"StaleTag":                     providers.Conflict,
	"SubscriptionLimitExceeded":    providers.Invalid,
	"TagLimitExceeded":             providers.Invalid,
	"TagPolicy":                    providers.Invalid,
	"Throttled":                    providers.Throttled,
	"TopicLimitExceeded":           providers.Invalid,

	"AccessDenied":                providers.Denied,
	"AccessDeniedException":       providers.Denied,
	"AuthFailure":                 providers.Denied,
	"AuthorizationError":          providers.Denied,
	"InvalidClientTokenId":        providers.Denied,
	"InvalidSignatureException":   providers.Denied,
	"KMSAccessDeniedException":    providers.Denied,
	"KmsAccessDeniedException":    providers.Denied,
	"NotAuthorized":               providers.Denied,
	"OptInRequired":               providers.Denied,
	"SignatureDoesNotMatch":       providers.Denied,
	"UnauthorizedOperation":       providers.Denied,
	"UnrecognizedClientException": providers.Denied,
}

// absentCodes say that the thing asked about is not there.
var absentCodes = map[string]bool{
	"ResourceNotFoundException":               true,
	"ResourceNotFound":                        true,
	"NotFoundException":                       true,
	"TableNotFoundException":                  true,
	"NoSuchBucket":                            true,
	"NoSuchTagSet":                            true,
	"NoSuchPublicAccessBlockConfiguration":    true,
	"NoSuchEntity":                            true,
	"NoSuchEntityException":                   true,
	"QueueDoesNotExist":                       true,
	"AWS.SimpleQueueService.NonExistentQueue": true,
	"ParameterNotFound":                       true,
	"FunctionNotFound":                        true,
	"StateMachineDoesNotExist":                true,
	"StateMachineDeleting":                    true,
	"ExecutionDoesNotExist":                   true,
	"NotFound":                                true,
}

// passing are phrases of refusals of a parameter that stand for something not
// yet consistent, not for a bad value.
var passing = []string{
	"cannot be assumed by Lambda",
	"execution role does not have permissions",
	"ensure the role can perform",
	"throttled by EC2",
	"KMS key is invalid for CreateGrant",
	"must allow AWS EventBridge Scheduler to assume the role",
	"Could not execute the lambda function", // a subscription's, whose permission may still come
}

// codeOf is AWS's error code; "" for no error, "unreachable" when no answer
// came, "UnknownError" for an answer that is not AWS's.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return "unreachable"
}

// isAbsent tells an answer "it is not there" from every other.
func isAbsent(err error) bool { return err != nil && absentCodes[codeOf(err)] }

// isUnknownOperation: what answers (an emulator) does not know the operation,
// or answers in another form. AWS itself always names what it could not find.
func isUnknownOperation(err error) bool {
	if err == nil || isAbsent(err) {
		return false
	}
	switch codeOf(err) {
	case "UnknownOperationException", "NotImplemented", "InvalidAction", "UnknownOperation":
		return true
	}
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		return false
	}
	status := response.HTTPStatusCode()
	if status == http.StatusOK && codeOf(err) == "unreachable" {
		return true // an answer that cannot be read
	}
	return status == http.StatusNotFound && !known(codeOf(err)) || status == http.StatusNotImplemented
}

func known(code string) bool { _, ok := kindByCode[code]; return ok || absentCodes[code] }

// isRateRefusal tells refusals for the account's rate from refusals for a
// function's concurrency.
func isRateRefusal(err error) bool {
	var tooMany *lambdatypes.TooManyRequestsException
	if errors.As(err, &tooMany) {
		return tooMany.Reason == "" || tooMany.Reason == lambdatypes.ThrottleReasonCallerRateLimitExceeded
	}
	return kindByCode[codeOf(err)] == providers.Throttled
}

// classify makes a provider's error of an SDK's. What it returns holds no
// secret: AWS echoes whole environments in one of its messages.
func classify(err error) error { return classifyHiding(err, nil) }

// classifyHiding is classify for a call that sent secrets: in whatever words
// AWS repeats them, they are not told.
func classifyHiding(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	var done *providers.Error
	if errors.As(err, &done) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	operation := "aws"
	op := innermost(err)
	if op != nil {
		operation = strings.ToLower(strings.ReplaceAll(op.Service(), " ", "")) + ":" + op.Operation()
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		if lacksCredentials(err) {
			return providers.Errorf(providers.Transient, "%w: %s", providers.ErrNoCredentials, scrub(cause(err)))
		}
		return providers.Errorf(providers.Transient, "%s: no answer: %s", operation, scrub(hide(cause(err), secrets)))
	}
	code, message := api.ErrorCode(), scrub(hide(api.ErrorMessage(), secrets))
	kind := kindOfAnswer(code, message)
	text := fmt.Sprintf("%s: %s: %s", operation, code, message)
	if kind == providers.Denied && !unsigned[code] {
		text += missingRight(message, operation)
	}
	if remedy := remedies[code]; remedy != "" {
		text += "; " + remedy
	}
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		text += " (request " + response.ServiceRequestID() + ")"
	}
	return providers.Errorf(kind, "%s", text)
}

// remedies are what people can do about a code whose own words do not say it.
var remedies = map[string]string{
	"CodeStorageExceededException": "the code of all functions and versions in this region takes what the account may: " +
		"remove functions or old versions that nobody needs (`aws lambda get-account-settings` tells how much there is), then `mooring retry`",
}

// lacksCredentials: the SDK found none to sign with. A role that could not be
// taken, because somebody answered or a call was lost, is not that.
func lacksCredentials(err error) bool {
	if codeOf(err) != "unreachable" || gotAnswer(err) || sent(err) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "get credentials") || strings.Contains(text, "get identity")
}

func kindOfAnswer(code, message string) providers.Kind {
	if absentCodes[code] {
		// A write to what is not there was planned against something else.
		return providers.Conflict
	}
	kind := kindByCode[code]
	if kind == providers.Denied && strings.Contains(message, "authorized to assume the provided role") {
		return providers.Transient // Step Functions of a role that is new
	}
	if code == "ValidationException" && strings.Contains(message, "multiple times within a fixed interval") {
		return providers.Transient // expiry of a table may be switched once an hour
	}
	switch code {
	case "InvalidParameterValueException", "InvalidParameterException", "ValidationException":
	default:
		return kind
	}
	for _, phrase := range passing {
		if strings.Contains(message, phrase) {
			return providers.Transient
		}
	}
	if strings.Contains(strings.ToLower(message), "codesha256") && strings.Contains(message, "different from current") {
		return providers.Conflict
	}
	return kind
}

// failedEntry is the error of one entry of a call that succeeded as a whole.
func failedEntry(what, code, message string) error {
	return providers.Errorf(kindOfAnswer(code, message), "%s: %s: %s", what, code, scrub(message))
}

// innermost is the call that failed: the taking of a role, where that is what
// another call waited for.
func innermost(err error) (inner *smithy.OperationError) {
	for {
		var op *smithy.OperationError
		if !errors.As(err, &op) {
			return inner
		}
		inner, err = op, op.Unwrap()
	}
}

func operationName(op *smithy.OperationError) string {
	if op == nil {
		return ""
	}
	return op.Operation()
}

// unsigned are refusals of who calls, not of what is called.
var unsigned = map[string]bool{
	"InvalidClientTokenId": true, "InvalidSignatureException": true, "SignatureDoesNotMatch": true, "UnrecognizedClientException": true, "OptInRequired": true,
}

// cause is the innermost error: the outer ones repeat the operation.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// shortestSecret is what can be hidden without making nonsense of a message.
const shortestSecret = 4

// hide takes secrets out of a message, as they are and as JSON writes them.
func hide(message string, secrets []string) string {
	longestFirst := slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	for _, secret := range longestFirst {
		if len(secret) < shortestSecret {
			continue
		}
		message = strings.ReplaceAll(message, secret, "[hidden]")
		if quoted, err := json.Marshal(secret); err == nil {
			message = strings.ReplaceAll(message, string(quoted[1:len(quoted)-1]), "[hidden]")
		}
	}
	return message
}

// echoes start the parts of messages that repeat what was sent.
var echoes = []string{"String measured", "Policy document:", "Environment variables:"}

const longestMessage = 400

// scrub cuts a message where it begins to repeat values, and to a length that
// can be read.
func scrub(message string) string {
	phrases := echoes
	if strings.Contains(strings.ToLower(message), "environment") {
		phrases = append([]string{"Value '", "value '", "Variables"}, echoes...)
	}
	for _, phrase := range phrases {
		if i := strings.Index(message, phrase); i >= 0 {
			message = strings.TrimRight(message[:i], " .:,'") + " […]"
		}
	}
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > longestMessage {
		message = strings.ToValidUTF8(message[:longestMessage], "") + "…"
	}
	return message
}
