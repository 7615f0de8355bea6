package sandbox

import (
	"net/url"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

// paramsOf are the members of a request that fault rules can match, in the
// model's spelling, and "path". They are never recorded: they may be secret.
func paramsOf(e exchange) map[string]any {
	out := map[string]any{}
	protocol := wire.ProtocolOf(e.call.Service, e.request)
	if tree, err := wire.Parse(protocol, e.request, e.body); err == nil {
		if members, ok := tree.(map[string]any); ok {
			out = members
		}
	}
	for k, v := range e.request.URL.Query() {
		out[k] = v[0]
	}
	out["path"] = e.request.URL.Path
	if e.call.Service == "lambda" {
		lambdaParams(e.request.URL.EscapedPath(), out)
	}
	return out
}

// lambdaParams finds what Lambda's paths carry.
func lambdaParams(path string, out map[string]any) {
	nouns := map[string]string{"functions": "FunctionName", "aliases": "Name", "event-source-mappings": "UUID", "policy": "StatementId"}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := 0; i+1 < len(parts); i++ {
		member, known := nouns[parts[i]]
		if !known {
			continue
		}
		if value, err := url.PathUnescape(parts[i+1]); err == nil && value != "" {
			out[member] = value
		}
	}
}
