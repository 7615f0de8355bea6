package lambda

import (
	"net/http"
	"net/url"
	"strings"
)

// route is one operation of the API: how it is called, and who answers.
type route struct {
	method, pattern string // {Name} in the pattern is a member of the request
	operation       string
	handle          func(*request) (reply, error)
	payload         bool     // the body is the caller's data, not members
	needs           string   // a query "key=value" that tells this operation from another on the same path
	segments        []string // the pattern, split
}

// table lists every operation. Paths and dates are the service model's.
func (s *Service) table() []route {
	all := [][]route{s.functionRoutes(), s.qualifierRoutes(), s.settingRoutes(), s.mappingRoutes(), s.otherRoutes()}
	var out []route
	for _, group := range all {
		for _, r := range group {
			r.segments = strings.Split(strings.Trim(r.pattern, "/"), "/")
			out = append(out, r)
		}
	}
	return out
}

// locked runs a handler under the service's mutex.
func (s *Service) locked(h func(*request) (reply, error)) func(*request) (reply, error) {
	return func(q *request) (reply, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return h(q)
	}
}

const fn = "/2015-03-31/functions/{FunctionName}"

func (s *Service) functionRoutes() []route {
	return []route{
		{method: "POST", pattern: "/2015-03-31/functions", operation: "CreateFunction", handle: s.createFunction},
		{method: "GET", pattern: "/2015-03-31/functions", operation: "ListFunctions", handle: s.locked(s.listFunctions)},
		{method: "GET", pattern: fn, operation: "GetFunction", handle: s.locked(s.getFunction)},
		{method: "DELETE", pattern: fn, operation: "DeleteFunction", handle: s.locked(s.deleteFunction)},
		{method: "GET", pattern: fn + "/configuration", operation: "GetFunctionConfiguration", handle: s.locked(s.getFunctionConfiguration)},
		{method: "PUT", pattern: fn + "/configuration", operation: "UpdateFunctionConfiguration", handle: s.locked(s.updateFunctionConfiguration)},
		{method: "PUT", pattern: fn + "/code", operation: "UpdateFunctionCode", handle: s.updateFunctionCode},
		{method: "POST", pattern: fn + "/versions", operation: "PublishVersion", handle: s.locked(s.publishVersion)},
		{method: "GET", pattern: fn + "/versions", operation: "ListVersionsByFunction", handle: s.locked(s.listVersions)},
		{method: "POST", pattern: fn + "/invocations", operation: "Invoke", handle: s.invokeCall, payload: true},
		{method: "POST", pattern: "/2014-11-13/functions/{FunctionName}/invoke-async", operation: "InvokeAsync", handle: s.invokeAsyncCall, payload: true},
	}
}

func (s *Service) qualifierRoutes() []route {
	return []route{
		{method: "POST", pattern: fn + "/aliases", operation: "CreateAlias", handle: s.locked(s.createAlias)},
		{method: "GET", pattern: fn + "/aliases", operation: "ListAliases", handle: s.locked(s.listAliases)},
		{method: "GET", pattern: fn + "/aliases/{Name}", operation: "GetAlias", handle: s.locked(s.getAlias)},
		{method: "PUT", pattern: fn + "/aliases/{Name}", operation: "UpdateAlias", handle: s.locked(s.updateAlias)},
		{method: "DELETE", pattern: fn + "/aliases/{Name}", operation: "DeleteAlias", handle: s.locked(s.deleteAlias)},
	}
}

func (s *Service) settingRoutes() []route {
	const (
		async  = "/2019-09-25/functions/{FunctionName}/event-invoke-config"
		url    = "/2021-10-31/functions/{FunctionName}/url"
		kept   = "/2019-09-30/functions/{FunctionName}/provisioned-concurrency"
		manage = "/2021-07-20/functions/{FunctionName}/runtime-management-config"
		loop   = "/2024-08-31/functions/{FunctionName}/recursion-config"
		sign   = "/2020-06-30/functions/{FunctionName}/code-signing-config"
	)
	return []route{
		{method: "POST", pattern: fn + "/policy", operation: "AddPermission", handle: s.locked(s.addPermission)},
		{method: "GET", pattern: fn + "/policy", operation: "GetPolicy", handle: s.locked(s.getPolicy)},
		{method: "DELETE", pattern: fn + "/policy/{StatementId}", operation: "RemovePermission", handle: s.locked(s.removePermission)},
		{method: "PUT", pattern: "/2017-10-31/functions/{FunctionName}/concurrency", operation: "PutFunctionConcurrency", handle: s.locked(s.putConcurrency)},
		{method: "DELETE", pattern: "/2017-10-31/functions/{FunctionName}/concurrency", operation: "DeleteFunctionConcurrency", handle: s.locked(s.deleteConcurrency)},
		{method: "GET", pattern: "/2019-09-30/functions/{FunctionName}/concurrency", operation: "GetFunctionConcurrency", handle: s.locked(s.getConcurrency)},
		{method: "PUT", pattern: async, operation: "PutFunctionEventInvokeConfig", handle: s.locked(s.putAsyncConfig)},
		{method: "POST", pattern: async, operation: "UpdateFunctionEventInvokeConfig", handle: s.locked(s.updateAsyncConfig)},
		{method: "GET", pattern: async, operation: "GetFunctionEventInvokeConfig", handle: s.locked(s.getAsyncConfig)},
		{method: "DELETE", pattern: async, operation: "DeleteFunctionEventInvokeConfig", handle: s.locked(s.deleteAsyncConfig)},
		{method: "GET", pattern: async + "/list", operation: "ListFunctionEventInvokeConfigs", handle: s.locked(s.listAsyncConfigs)},
		{method: "POST", pattern: url, operation: "CreateFunctionUrlConfig", handle: s.locked(s.createURL)},
		{method: "PUT", pattern: url, operation: "UpdateFunctionUrlConfig", handle: s.locked(s.updateURL)},
		{method: "GET", pattern: url, operation: "GetFunctionUrlConfig", handle: s.locked(s.getURL)},
		{method: "DELETE", pattern: url, operation: "DeleteFunctionUrlConfig", handle: s.locked(s.deleteURL)},
		{method: "GET", pattern: url + "s", operation: "ListFunctionUrlConfigs", handle: s.locked(s.listURLs)},
		{method: "PUT", pattern: kept, operation: "PutProvisionedConcurrencyConfig", handle: s.locked(s.putProvisioned)},
		{method: "GET", pattern: kept, operation: "GetProvisionedConcurrencyConfig", handle: s.locked(s.getProvisioned)},
		{method: "GET", pattern: kept, needs: "List=ALL", operation: "ListProvisionedConcurrencyConfigs", handle: s.locked(s.listProvisioned)},
		{method: "DELETE", pattern: kept, operation: "DeleteProvisionedConcurrencyConfig", handle: s.locked(s.deleteProvisioned)},
		{method: "PUT", pattern: manage, operation: "PutRuntimeManagementConfig", handle: s.locked(s.putRuntimeManagement)},
		{method: "GET", pattern: manage, operation: "GetRuntimeManagementConfig", handle: s.locked(s.getRuntimeManagement)},
		{method: "PUT", pattern: loop, operation: "PutFunctionRecursionConfig", handle: s.locked(s.putRecursion)},
		{method: "GET", pattern: loop, operation: "GetFunctionRecursionConfig", handle: s.locked(s.getRecursion)},
		{method: "PUT", pattern: sign, operation: "PutFunctionCodeSigningConfig", handle: s.locked(s.putSigning)},
		{method: "DELETE", pattern: sign, operation: "DeleteFunctionCodeSigningConfig", handle: s.locked(s.detachSigning)},
		{method: "GET", pattern: sign, operation: "GetFunctionCodeSigningConfig", handle: s.locked(s.getSigning)},
	}
}

func (s *Service) mappingRoutes() []route {
	const all, one = "/2015-03-31/event-source-mappings", "/2015-03-31/event-source-mappings/{UUID}"
	return []route{
		{method: "POST", pattern: all, operation: "CreateEventSourceMapping", handle: s.locked(s.createMapping)},
		{method: "GET", pattern: all, operation: "ListEventSourceMappings", handle: s.locked(s.listMappings)},
		{method: "GET", pattern: one, operation: "GetEventSourceMapping", handle: s.locked(s.getMapping)},
		{method: "PUT", pattern: one, operation: "UpdateEventSourceMapping", handle: s.locked(s.updateMapping)},
		{method: "DELETE", pattern: one, operation: "DeleteEventSourceMapping", handle: s.locked(s.deleteMapping)},
	}
}

func (s *Service) otherRoutes() []route {
	const (
		layers  = "/2018-10-31/layers"
		tags    = "/2017-03-31/tags/{Resource}"
		signing = "/2020-04-22/code-signing-configs"
		signer  = signing + "/{CodeSigningConfigArn}"
	)
	return []route{
		{method: "POST", pattern: signing, operation: "CreateCodeSigningConfig", handle: s.locked(s.createSigning)},
		{method: "GET", pattern: signing, operation: "ListCodeSigningConfigs", handle: s.locked(s.listSigning)},
		{method: "GET", pattern: signer, operation: "GetCodeSigningConfig", handle: s.locked(s.getSigningConfig)},
		{method: "PUT", pattern: signer, operation: "UpdateCodeSigningConfig", handle: s.locked(s.updateSigning)},
		{method: "DELETE", pattern: signer, operation: "DeleteCodeSigningConfig", handle: s.locked(s.deleteSigning)},
		{method: "GET", pattern: signer + "/functions", operation: "ListFunctionsByCodeSigningConfig", handle: s.locked(s.listSignedBy)},
		{method: "POST", pattern: tags, operation: "TagResource", handle: s.locked(s.tagResource)},
		{method: "GET", pattern: tags, operation: "ListTags", handle: s.locked(s.listTags)},
		{method: "DELETE", pattern: tags, operation: "UntagResource", handle: s.locked(s.untagResource)},
		{method: "GET", pattern: "/2016-08-19/account-settings", operation: "GetAccountSettings", handle: s.locked(s.getAccountSettings)},
		{method: "POST", pattern: layers + "/{LayerName}/versions", operation: "PublishLayerVersion", handle: s.publishLayer},
		{method: "GET", pattern: layers + "/{LayerName}/versions", operation: "ListLayerVersions", handle: s.locked(s.listLayerVersions)},
		{method: "GET", pattern: layers + "/{LayerName}/versions/{VersionNumber}", operation: "GetLayerVersion", handle: s.locked(s.getLayerVersion)},
		{method: "DELETE", pattern: layers + "/{LayerName}/versions/{VersionNumber}", operation: "DeleteLayerVersion", handle: s.locked(s.deleteLayerVersion)},
		{method: "POST", pattern: layers + "/{LayerName}/versions/{VersionNumber}/policy", operation: "AddLayerVersionPermission", handle: s.locked(s.addLayerPermission)},
		{method: "GET", pattern: layers + "/{LayerName}/versions/{VersionNumber}/policy", operation: "GetLayerVersionPolicy", handle: s.locked(s.getLayerPolicy)},
		{method: "DELETE", pattern: layers + "/{LayerName}/versions/{VersionNumber}/policy/{StatementId}", operation: "RemoveLayerVersionPermission", handle: s.locked(s.removeLayerPermission)},
		{method: "GET", pattern: layers, operation: "ListLayers", handle: s.locked(s.listLayers)},
		{method: "GET", pattern: layers, needs: "find=LayerVersion", operation: "GetLayerVersionByArn", handle: s.locked(s.getLayerVersionByARN)},
	}
}

// match finds the operation of a request and the members in its path.
func match(routes []route, r *http.Request) (*route, map[string]string) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	query := r.URL.Query()
	var found *route
	for i := range routes {
		c := &routes[i]
		if c.method != r.Method || !sameShape(c.segments, parts) {
			continue
		}
		if c.needs != "" {
			key, value, _ := strings.Cut(c.needs, "=")
			if query.Get(key) != value {
				continue
			}
			return c, members(c.segments, parts)
		}
		if found == nil {
			found = c
		}
	}
	if found == nil {
		return nil, nil
	}
	return found, members(found.segments, parts)
}

func sameShape(pattern, parts []string) bool {
	if len(pattern) != len(parts) {
		return false
	}
	for i, p := range pattern {
		if p[0] != '{' && p != parts[i] || parts[i] == "" {
			return false
		}
	}
	return true
}

func members(pattern, parts []string) map[string]string {
	out := map[string]string{}
	for i, p := range pattern {
		if p[0] != '{' {
			continue
		}
		value, err := url.PathUnescape(parts[i])
		if err != nil {
			value = parts[i] // the name's own check refuses it
		}
		out[strings.Trim(p, "{}")] = value
	}
	return out
}
