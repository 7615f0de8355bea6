package manifest

// APISpec is an HTTP API of API Gateway with its one stage, which deploys by
// itself, and its authorizers. Members are those of CreateApi, CreateStage and
// CreateAuthorizer. Routes belong to the functions behind them.
type APISpec struct {
	Description               string                   `json:"description,omitempty" is:"maxlen=1024" doc:"What the API is for."`
	Version                   string                   `json:"version,omitempty" is:"maxlen=64" doc:"A version, for people."`
	CorsConfiguration         *Cors                    `json:"corsConfiguration,omitempty" doc:"What browsers of other origins may do."`
	DisableExecuteAPIEndpoint bool                     `json:"disableExecuteApiEndpoint,omitempty" doc:"Whether it answers by domain names of your own only."`
	IPAddressType             string                   `json:"ipAddressType" is:"default=ipv4,enum=ipv4|dualstack" doc:"Which addresses may call."`
	Stage                     APIStage                 `json:"stage" doc:"The stage requests come to."`
	Authorizers               map[string]APIAuthorizer `json:"authorizers,omitempty" is:"keys=name,maxitems=10" doc:"Who lets requests in, by a name that routes refer to."`
	Tags                      map[string]string        `json:"tags,omitempty" is:"maxitems=46" doc:"Tags of the API."`
}

// APIStage is the stage of an API.
type APIStage struct {
	StageName            string                      `json:"stageName,omitempty" is:"match=stageName,maxlen=128" doc:"$default, the default, or a name that paths begin with."`
	Description          string                      `json:"description,omitempty" is:"maxlen=1024" doc:"What the stage is for."`
	DefaultRouteSettings *APIRouteSettings           `json:"defaultRouteSettings,omitempty" doc:"Throttling and metrics of every route."`
	RouteSettings        map[string]APIRouteSettings `json:"routeSettings,omitempty" is:"keys=routeKey,maxitems=300" doc:"Throttling and metrics of one route, by its key."`
	AccessLogSettings    *APIAccessLog               `json:"accessLogSettings,omitempty" doc:"Where each request is logged."`
	StageVariables       map[string]string           `json:"stageVariables,omitempty" is:"keys=stageVar,maxitems=100" doc:"Variables the function is told."`
}

// APIRouteSettings are the settings of a stage's routes.
type APIRouteSettings struct {
	ThrottlingBurstLimit   *int     `json:"throttlingBurstLimit,omitempty" is:"min=0,max=10000" doc:"Requests at once at most."`
	ThrottlingRateLimit    *float64 `json:"throttlingRateLimit,omitempty" is:"min=0,max=100000" doc:"Requests a second at most."`
	DetailedMetricsEnabled bool     `json:"detailedMetricsEnabled,omitempty" doc:"Whether each route has metrics of its own."`
}

// APIAccessLog is where requests are logged, and how.
type APIAccessLog struct {
	DestinationArn Value  `json:"destinationArn" is:"required,target,kinds=LogGroup" doc:"The log group, as LogGroup/access, or an ARN."`
	Format         string `json:"format" is:"required,maxlen=3000" doc:"A line, with $context variables; $context.requestId must be in it."`
}

// APIAuthorizer is a JWT authorizer, or a function that is asked.
type APIAuthorizer struct {
	JwtConfiguration               *JwtConfiguration `json:"jwtConfiguration,omitempty" doc:"Tokens that are believed."`
	Function                       *Value            `json:"function,omitempty" is:"target,kinds=Alias" doc:"The function that is asked, as Alias/auth.live; it has to let apigateway.amazonaws.com invoke it."`
	IdentitySource                 []string          `json:"identitySource,omitempty" is:"maxitems=10" doc:"Where the identity is. Default $request.header.Authorization."`
	AuthorizerResultTTLInSeconds   int               `json:"authorizerResultTtlInSeconds,omitempty" is:"min=0,max=3600" doc:"Seconds the function's answer is kept."`
	AuthorizerPayloadFormatVersion string            `json:"authorizerPayloadFormatVersion,omitempty" is:"enum=1.0|2.0" doc:"How the function is asked. Default 2.0."`
	EnableSimpleResponses          *bool             `json:"enableSimpleResponses,omitempty" doc:"Whether the function answers isAuthorized instead of a policy. Default true."`
}

// JwtConfiguration is who signs tokens, and for whom.
type JwtConfiguration struct {
	Issuer   string   `json:"issuer" is:"required,match=url" doc:"Who signs: the base of its OpenID configuration."`
	Audience []string `json:"audience" is:"required,minitems=1,maxitems=50" doc:"For whom tokens must be."`
}

// RouteSpec is an integration of an HTTP API with a function's alias, and the
// routes that lead to it.
type RouteSpec struct {
	Alias                Ref      `json:"alias"` // zero with alias: none
	API                  Value    `json:"api"`   // Api/shop
	Routes               []string `json:"routes"`
	AuthorizationType    string   `json:"authorizationType,omitempty"` // NONE | AWS_IAM, unless there is an authorizer
	Authorizer           string   `json:"authorizer,omitempty"`
	AuthorizationScopes  []string `json:"authorizationScopes,omitempty"`
	PayloadFormatVersion string   `json:"payloadFormatVersion"`
	TimeoutInMillis      int      `json:"timeoutInMillis"`
}
