package aws

import (
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
)

// apiCoverage is what becomes of HTTP APIs and their parts.
func apiCoverage() []covered {
	const (
		sockets  = "of WebSocket APIs, which are not managed"
		quick    = "of quick create, which makes parts that nobody declared"
		proxies  = "of integrations with anything but functions"
		rewrites = "not declared, and kept by every write"
	)
	return []covered{
		{types.Api{}, map[string]string{
			"Name": managed, "Description": managed, "Version": managed, "CorsConfiguration": managed, "DisableExecuteApiEndpoint": managed, "IpAddressType": managed,
			"Tags": managed, "ProtocolType": "always HTTP", "ApiId": identity, "ApiEndpoint": "the attribute url", "CreatedDate": readOnly, "ApiGatewayManaged": readOnly,
			"ImportInfo": readOnly, "Warnings": readOnly, "ApiKeySelectionExpression": sockets, "DisableSchemaValidation": sockets,
			"RouteSelectionExpression": "the same for every HTTP API",
		}},
		{apigatewayv2.CreateApiInput{}, map[string]string{
			"Name": managed, "ProtocolType": managed, "Description": managed, "Version": managed, "CorsConfiguration": managed, "DisableExecuteApiEndpoint": managed,
			"IpAddressType": managed, "Tags": managed, "ApiKeySelectionExpression": sockets, "DisableSchemaValidation": sockets,
			"RouteSelectionExpression": "the same for every HTTP API", "CredentialsArn": quick, "RouteKey": quick, "Target": quick,
		}},
		{types.Stage{}, map[string]string{
			"StageName": managed, "AutoDeploy": managed, "Description": managed, "DefaultRouteSettings": managed, "RouteSettings": managed,
			"AccessLogSettings": managed, "StageVariables": managed, "ApiGatewayManaged": readOnly, "CreatedDate": readOnly, "LastUpdatedDate": readOnly,
			"DeploymentId": "moves by itself where a stage deploys by itself", "LastDeploymentStatusMessage": readOnly, "ClientCertificateId": sockets,
			"Tags": "those of the API say who owns it",
		}},
		{types.RouteSettings{}, map[string]string{
			"ThrottlingBurstLimit": managed, "ThrottlingRateLimit": managed, "DetailedMetricsEnabled": managed, "DataTraceEnabled": sockets, "LoggingLevel": sockets,
		}},
		{types.Authorizer{}, map[string]string{
			"Name": managed, "AuthorizerType": managed, "IdentitySource": managed, "JwtConfiguration": managed, "AuthorizerUri": managed,
			"AuthorizerPayloadFormatVersion": managed, "AuthorizerResultTtlInSeconds": managed, "EnableSimpleResponses": managed,
			"AuthorizerCredentialsArn": shown, "AuthorizerId": identity, "IdentityValidationExpression": sockets,
		}},
		{types.Route{}, map[string]string{
			"RouteKey": managed, "Target": managed, "AuthorizationType": managed, "AuthorizerId": managed, "AuthorizationScopes": managed,
			"RouteId": identity, "ApiGatewayManaged": readOnly, "OperationName": rewrites, "ApiKeyRequired": sockets, "ModelSelectionExpression": sockets,
			"RequestModels": sockets, "RequestParameters": sockets, "RouteResponseSelectionExpression": sockets,
		}},
		{types.Integration{}, map[string]string{
			"IntegrationUri": managed, "IntegrationType": managed, "PayloadFormatVersion": managed, "TimeoutInMillis": managed, "Description": "names the resource",
			"IntegrationId": identity, "ApiGatewayManaged": readOnly, "IntegrationMethod": "always POST", "CredentialsArn": rewrites,
			"RequestParameters": rewrites, "ResponseParameters": rewrites, "ConnectionId": proxies, "ConnectionType": proxies, "IntegrationSubtype": proxies,
			"TlsConfig": proxies, "ContentHandlingStrategy": sockets, "IntegrationResponseSelectionExpression": sockets, "PassthroughBehavior": sockets,
			"RequestTemplates": sockets, "TemplateSelectionExpression": sockets,
		}},
	}
}
