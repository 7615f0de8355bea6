package apigateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/proxy"
)

// authorize lets a request through, with what the function is told of it, or
// refuses it with a status.
func (s *Service) authorize(r *http.Request, h *hit) (told map[string]any, refusal int) {
	switch h.route.Auth {
	case "AWS_IAM":
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-") && r.URL.Query().Get("X-Amz-Signature") == "" {
			return nil, http.StatusForbidden
		}
		return map[string]any{"iam": map[string]any{"accountId": s.options.Account}}, 0
	case "JWT":
		return s.token(r, h)
	case "CUSTOM":
		return s.ask(r, h)
	}
	return nil, 0
}

// identity reads an identity source, as $request.header.Authorization.
func identity(r *http.Request, h *hit, source string) string {
	kind, name, _ := strings.Cut(strings.TrimPrefix(source, "$request."), ".")
	switch kind {
	case "header":
		return r.Header.Get(name)
	case "querystring":
		return r.URL.Query().Get(name)
	}
	if name, ok := strings.CutPrefix(source, "$stageVariables."); ok {
		return h.variables[name]
	}
	return ""
}

// token reads a JWT. Its signature is believed; issuer, audience, time and
// scopes are checked.
func (s *Service) token(r *http.Request, h *hit) (map[string]any, int) {
	text := strings.TrimPrefix(identity(r, h, h.authorizer.Identity[0]), "Bearer ")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, http.StatusUnauthorized
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(raw, &claims) != nil {
		return nil, http.StatusUnauthorized
	}
	now := float64(s.options.Now().Unix())
	until, timed := claims["exp"].(float64)
	from, _ := claims["nbf"].(float64)
	if claims["iss"] != h.authorizer.JWT.Issuer || !meantFor(claims, h.authorizer.JWT.Audience) || timed && until < now || from > now {
		return nil, http.StatusUnauthorized
	}
	scope, _ := claims["scope"].(string)
	scopes := strings.Fields(scope)
	if len(h.route.Scopes) > 0 && !slices.ContainsFunc(h.route.Scopes, func(want string) bool { return slices.Contains(scopes, want) }) {
		return nil, http.StatusForbidden
	}
	return map[string]any{"jwt": map[string]any{"claims": claims, "scopes": scopes}}, 0
}

func meantFor(claims map[string]any, audience []string) bool {
	var have []string
	switch aud := claims["aud"].(type) {
	case string:
		have = []string{aud}
	case []any:
		for _, one := range aud {
			if text, ok := one.(string); ok {
				have = append(have, text)
			}
		}
	}
	if client, ok := claims["client_id"].(string); ok {
		have = append(have, client)
	}
	return slices.ContainsFunc(audience, func(want string) bool { return slices.Contains(have, want) })
}

// longestAuthorizer is what an authorizer may take.
const longestAuthorizer = 10 * time.Second

// ask invokes a Lambda authorizer, which answers in the simple form or with a
// policy.
func (s *Service) ask(r *http.Request, h *hit) (map[string]any, int) {
	var sources []string
	for _, source := range h.authorizer.Identity {
		value := identity(r, h, source)
		if value == "" {
			return nil, http.StatusUnauthorized
		}
		sources = append(sources, value)
	}
	event := s.event(r, h, nil).Event()
	delete(event, "body")
	delete(event, "isBase64Encoded")
	event["type"], event["identitySource"] = "REQUEST", sources
	event["routeArn"] = s.source(h, h.stage+"/"+r.Method+h.path)
	event["headers"] = proxy.Headers(r)
	payload, err := json.Marshal(event)
	if err != nil || h.authorizer.URI == nil {
		return nil, http.StatusInternalServerError
	}
	ctx, cancel := context.WithTimeout(r.Context(), longestAuthorizer)
	defer cancel()
	out, failed, err := s.options.Invoke(ctx, function(*h.authorizer.URI), s.source(h, "authorizers/"+h.authorizer.ID), payload)
	var answer struct {
		IsAuthorized   bool           `json:"isAuthorized"`
		Context        map[string]any `json:"context"`
		PolicyDocument struct {
			Statement []struct{ Effect string }
		} `json:"policyDocument"`
	}
	if err != nil || failed || json.Unmarshal(out, &answer) != nil {
		return nil, http.StatusInternalServerError
	}
	allowed := answer.IsAuthorized
	if h.authorizer.Simple == nil || !*h.authorizer.Simple {
		for _, statement := range answer.PolicyDocument.Statement {
			allowed = statement.Effect == "Allow"
		}
	}
	if !allowed {
		return nil, http.StatusForbidden
	}
	return map[string]any{"lambda": answer.Context}, 0
}
