// Package amazon carries alerts to topics of Amazon SNS and to buses of Amazon
// EventBridge. It refuses to decide what is an alert and to remember anything:
// it only sends.
package amazon

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"mooring.dev/reconciler/notify"
)

// classify says which refusals no repetition cures. Rights and credentials
// can be put right while the alert waits, and so can rates.
func classify(what string, err error) error {
	if err == nil {
		return nil
	}
	var said smithy.APIError
	if !errors.As(err, &said) {
		return fmt.Errorf("notify %s: %w", what, err)
	}
	// AWS's words may repeat what was sent; its code does not.
	err = refusal{fmt.Errorf("notify %s: answered %s", what, said.ErrorCode()), said.ErrorCode()}
	if lasting[said.ErrorCode()] {
		return notify.Permanent(err)
	}
	return err
}

// refusal is an answer of AWS's without its words.
type refusal struct {
	error
	code string
}

// Denied says that the right to look is missing, which says nothing of the
// right to send.
func Denied(err error) bool {
	var said refusal
	return errors.As(err, &said) && (strings.HasPrefix(said.code, "AccessDenied") || said.code == "AuthorizationError")
}

// lasting are the codes that say the message or its address is wrong.
var lasting = map[string]bool{
	"InvalidParameter": true, "InvalidParameterValue": true, "ParameterValueInvalid": true, "ValidationError": true, "ValidationException": true,
	"NotFound": true, "NotFoundException": true, "ResourceNotFoundException": true, "InvalidArgument": true, "MalformedDetail": true,
}
