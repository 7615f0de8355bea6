package wire

import (
	"net/http"
	"strings"
)

// Scope is who signed a request and for what. The signature itself is not
// verified: the sandbox believes what it is told.
type Scope struct {
	AccessKey string
	Region    string
	Service   string // the signing name
}

// ParseScope reads the credential scope of the Authorization header or of a
// presigned URL; ok is false for an unsigned request.
func ParseScope(r *http.Request) (s Scope, ok bool) {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if auth := r.Header.Get("Authorization"); strings.HasPrefix(auth, "AWS4-") {
		_, after, _ := strings.Cut(auth, "Credential=")
		credential, _, _ = strings.Cut(after, ",")
	}
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) < 5 {
		return Scope{}, false
	}
	// The access key itself may hold slashes, the rest may not.
	tail := parts[len(parts)-4:]
	return Scope{
		AccessKey: strings.Join(parts[:len(parts)-4], "/"),
		Region:    tail[1],
		Service:   tail[2],
	}, true
}
