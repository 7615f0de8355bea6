// Package wire is what every service of the sandbox shares: the call as it
// came in, the error as AWS words it, and the service contract. The root
// package runs each call through one pipeline (identity, rate lanes, faults,
// recording), so that a service only answers.
package wire

import (
	"net/http"
	"time"
)

// Call is one API call. Params hold no secrets and no code.
type Call struct {
	ID        string         `json:"id"` // x-amzn-requestid
	At        time.Time      `json:"at"`
	Service   string         `json:"service"`   // lambda
	Operation string         `json:"operation"` // UpdateFunctionConfiguration
	Region    string         `json:"region"`
	Account   string         `json:"account"`
	Actor     Actor          `json:"actor"`
	Params    map[string]any `json:"params,omitempty"`
	// Response is kept for changes only (what an audit trail would show).
	Response  map[string]any `json:"response,omitempty"`
	ReadOnly  bool           `json:"readOnly"`
	Status    int            `json:"status"`
	ErrorCode string         `json:"errorCode,omitempty"`
	Fault     string         `json:"fault,omitempty"` // the injected fault that met it
	Duration  time.Duration  `json:"duration"`
	UserAgent string         `json:"userAgent,omitempty"`
}

// Actor is who called, told apart by access key.
type Actor struct {
	AccessKey string `json:"accessKey"`
	Type      string `json:"type"` // IAMUser | AssumedRole | AWSService
	Name      string `json:"name"` // user/alice, assumed-role/Admin/alice
	ARN       string `json:"arn"`
	// Tags are the session's, as its role was taken on with them.
	Tags map[string]string `json:"tags,omitempty"`
}

// Service answers the calls of one AWS service.
type Service interface {
	Name() string // the signing name: lambda, sqs, iam, …
	// Operation names the call, "" when the service has no such operation.
	Operation(r *http.Request, body []byte) string
	// Serve answers. body is the whole request body (r.Body is spent).
	Serve(w http.ResponseWriter, r *http.Request, body []byte, c *Call)
}

// Error is an AWS error; each protocol writes it its own way.
type Error struct {
	Status  int    // HTTP status
	Code    string // ResourceNotFoundException
	Message string
	Members map[string]any // further members of the error's shape (Type, Reason, retryAfterSeconds)
	// QueryCode is the code older clients know, for services that once spoke
	// the query protocol; "" when it is the same.
	QueryCode string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }
