// Package amazon carries alerts to topics of Amazon SNS and to buses of Amazon
// EventBridge. It refuses to decide what is an alert and to remember anything:
// it only sends.
package amazon

import (
	"errors"
	"fmt"

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
	err = fmt.Errorf("notify %s: answered %s", what, said.ErrorCode())
	if lasting[said.ErrorCode()] {
		return notify.Permanent(err)
	}
	return err
}

// lasting are the codes that say the message or its address is wrong.
var lasting = map[string]bool{
	"InvalidParameter": true, "InvalidParameterValue": true, "ParameterValueInvalid": true, "ValidationError": true, "ValidationException": true,
	"NotFound": true, "NotFoundException": true, "ResourceNotFoundException": true, "InvalidArgument": true, "MalformedDetail": true,
}
