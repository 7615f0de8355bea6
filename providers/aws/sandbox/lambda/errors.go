package lambda

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"mooring.dev/providers/aws/sandbox/wire"
)

func fault(status int, code, format string, args ...any) *wire.Error {
	return &wire.Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...), Members: map[string]any{"Type": "User"}}
}

func invalid(format string, args ...any) *wire.Error {
	return fault(http.StatusBadRequest, "InvalidParameterValueException", format, args...)
}

func notFound(format string, args ...any) *wire.Error {
	return fault(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

func conflict(format string, args ...any) *wire.Error {
	return fault(http.StatusConflict, "ResourceConflictException", format, args...)
}

// constraint is the refusal of a value that the API's model forbids. AWS sends
// it without a Type.
func constraint(value any, member, rule string) *wire.Error {
	e := fault(http.StatusBadRequest, "ValidationException",
		"1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, rule)
	e.Members = nil
	return e
}

func throttled(reason string) *wire.Error {
	e := fault(http.StatusTooManyRequests, "TooManyRequestsException", "Rate Exceeded.")
	e.Members["Reason"] = reason
	return e
}

func staleFunction() *wire.Error {
	return fault(http.StatusPreconditionFailed, "PreconditionFailedException",
		"The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
}

func stalePolicy() *wire.Error {
	return fault(http.StatusPreconditionFailed, "PreconditionFailedException",
		"The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest Revision Id")
}

// capitalMessage says whether the error's shape spells its member "Message";
// the model is not of one mind.
func capitalMessage(code string) bool {
	switch code {
	case "ResourceNotFoundException", "ResourceInUseException", "CodeSigningConfigNotFoundException",
		"ServiceException", "InvalidRuntimeException", "InvalidZipFileException", "AccessDeniedException":
		return true
	}
	return false
}

// WriteError writes e as Lambda words its errors: the code in X-Amzn-ErrorType,
// the members as JSON, retryAfterSeconds as a header. The sandbox's root uses it
// for what it refuses itself.
func WriteError(w http.ResponseWriter, e *wire.Error) {
	body := map[string]any{}
	for name, value := range e.Members {
		if name == "retryAfterSeconds" {
			w.Header().Set("Retry-After", fmt.Sprint(value))
			continue
		}
		body[name] = value
	}
	member := "message"
	if capitalMessage(e.Code) {
		member = "Message"
	}
	body[member] = e.Message
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte(`{"message":` + strconv.Quote(e.Message) + `}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-ErrorType", e.Code)
	w.WriteHeader(e.Status)
	_, _ = w.Write(text) // the client may be gone; there is nobody else to tell
}
