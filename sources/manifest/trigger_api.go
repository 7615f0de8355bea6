package manifest

// apiTrigger is routes of an HTTP API that lead to the function's alias.
type apiTrigger struct {
	API                  Value    `json:"api" is:"required,target,kinds=Api" doc:"The API, as Api/shop."`
	Routes               []string `json:"routes" is:"required,minitems=1,maxitems=100,match=routeKey" doc:"The routes, as GET /orders/{id}, ANY /files/{path+} or $default."`
	AuthorizationType    string   `json:"authorizationType" is:"default=NONE,enum=NONE|AWS_IAM" doc:"Who may call: everybody, or signed requests. An authorizer says it instead."`
	Authorizer           string   `json:"authorizer" is:"match=name,maxlen=128" doc:"The authorizer of the API that lets requests in."`
	AuthorizationScopes  []string `json:"authorizationScopes" is:"maxitems=10" doc:"Scopes of which a token must have one."`
	PayloadFormatVersion string   `json:"payloadFormatVersion" is:"default=2.0,enum=1.0|2.0" doc:"The form of the event."`
	TimeoutInMillis      int      `json:"timeoutInMillis" is:"default=30000,min=50,max=30000" doc:"Milliseconds the API waits for the function."`
	Permission           bool     `json:"permission" is:"default=true" doc:"Whether the statement that lets the API invoke comes along; false leaves that to permissions."`
}

func (t *apiTrigger) expand(c *children, key string) {
	name := c.x.meta.Name + "." + key
	spec := &RouteSpec{
		Alias: c.alias, API: t.API, Routes: sortedUnique(t.Routes), AuthorizationType: t.AuthorizationType, Authorizer: t.Authorizer,
		AuthorizationScopes: sortedUnique(t.AuthorizationScopes), PayloadFormatVersion: t.PayloadFormatVersion, TimeoutInMillis: t.TimeoutInMillis,
	}
	if t.Authorizer != "" {
		spec.AuthorizationType = ""
	}
	c.x.child(Ref{KindRoute, name}, key, spec, targets(c.front, &spec.API))
	if !t.Permission {
		return
	}
	source := t.API
	source.Attribute = "executeArn"
	c.permit(key, "apigateway.amazonaws.com", source)
}

// clash is none: a function may stand behind several APIs, and several times
// behind one.
func (t *apiTrigger) clash() clash { return clash{} }

func (t *apiTrigger) check(d *decoder, n *node) {
	if t.API.Literal != "" {
		d.fault(n.get("api").pos(), "cannot be an ARN", "routes are made in an API of this repository, as Api/shop")
	}
	if t.Authorizer != "" && n.get("authorizationType") != nil {
		d.fault(n.get("authorizationType").pos(), "the authorizer says it", "leave it out")
	}
	if t.Authorizer == "" && len(t.AuthorizationScopes) > 0 {
		d.fault(n.get("authorizationScopes").pos(), "scopes need an authorizer", "")
	}
}

// grant is none: API Gateway calls the function itself.
func (t *apiTrigger) grant() grant { return grant{} }
