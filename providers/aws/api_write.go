package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k apiKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, spec, err := declaredAPI(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	now, err := k.p.lookAPI(ctx, k.p.front, c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	w := &apiWrite{p: k.p, apis: k.p.front.apis, c: c, want: want, allowed: allowedBy(c.Fields)}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		if now, err = w.create(ctx, spec); err != nil {
			return w.receipt, err
		}
	} else {
		if err := k.p.mayWrite(ownerOf(now.api.Tags), c.Adopt || c.Resource.Adopt); err != nil {
			return providers.Receipt{}, err
		}
		if err := holds(c.Guard, now.guard()); err != nil {
			return providers.Receipt{}, err
		}
	}
	w.now, w.id = now, now.api.ApiId
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return w.tags(ctx, spec) }, w.top, w.authorizers, w.stage, w.removed,
	} {
		if err := step(ctx); err != nil {
			return w.receipt, err
		}
	}
	return w.receipt, nil
}

// apiWrite is one write of an API: as many calls as it has parts that differ.
type apiWrite struct {
	p       *Provider
	apis    *apigatewayv2.Client
	c       providers.Change
	want    *apiForm
	allowed func(string) bool
	now     *apiLook
	id      *string
	receipt providers.Receipt
}

// did notes a call; the receipt has those that came before a refusal too.
func (w *apiWrite) did(meta middleware.Metadata) error {
	w.receipt.RequestIDs = append(w.receipt.RequestIDs, receipt(meta).RequestIDs...)
	return nil
}

// create makes the API with its tags, by which it is found again should the
// answer get lost.
func (w *apiWrite) create(ctx context.Context, spec *manifest.APISpec) (*apiLook, error) {
	a := &w.want.api
	in := &apigatewayv2.CreateApiInput{
		Name: &a.name, ProtocolType: types.ProtocolTypeHttp, Description: optional(a.description), Version: optional(a.version),
		DisableExecuteApiEndpoint: &a.disabled, IpAddressType: types.IpAddressType(a.address),
		Tags: w.p.allTags(spec.Tags, w.c.Resource.Ref, w.c.Release),
	}
	if !a.cors.emptyCors() {
		in.CorsConfiguration = a.cors.apiCors()
	}
	out, err := w.apis.CreateApi(ctx, in)
	if err != nil {
		return nil, classify(err)
	}
	return &apiLook{api: types.Api{
		ApiId: out.ApiId, Name: out.Name, Description: out.Description, Version: out.Version, DisableExecuteApiEndpoint: &a.disabled,
		IpAddressType: types.IpAddressType(a.address), CorsConfiguration: in.CorsConfiguration, Tags: in.Tags,
	}}, w.did(out.ResultMetadata)
}

func (u *functionURL) emptyCors() bool {
	return !u.credentials && u.maxAge == 0 && len(u.headers)+len(u.methods)+len(u.origins)+len(u.exposed) == 0
}

func (u *functionURL) apiCors() *types.Cors {
	return &types.Cors{
		AllowCredentials: &u.credentials, AllowHeaders: list(u.headers), AllowMethods: list(u.methods), AllowOrigins: list(u.origins),
		ExposeHeaders: list(u.exposed), MaxAge: awssdk.Int32(int32(u.maxAge)),
	}
}

func (w *apiWrite) tags(ctx context.Context, spec *manifest.APISpec) error {
	plan := w.p.planTags(w.c, spec.Tags, w.now.api.Tags, true)
	arn := w.p.apiARN(*w.id)
	if len(plan.add) > 0 {
		out, err := w.apis.TagResource(ctx, &apigatewayv2.TagResourceInput{ResourceArn: &arn, Tags: plan.add})
		if err != nil {
			return classify(err)
		}
		_ = w.did(out.ResultMetadata)
	}
	if len(plan.remove) == 0 {
		return nil
	}
	out, err := w.apis.UntagResource(ctx, &apigatewayv2.UntagResourceInput{ResourceArn: &arn, TagKeys: plan.remove})
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

// top writes the members of the API itself.
func (w *apiWrite) top(ctx context.Context) error {
	desired := w.now.form("").api
	in := &apigatewayv2.UpdateApiInput{ApiId: w.id}
	update, cors := false, false
	for _, path := range merge(apiMembers, &desired, &w.want.api, w.allowed) {
		update = update || !strings.HasPrefix(path, "corsConfiguration.")
		cors = cors || strings.HasPrefix(path, "corsConfiguration.")
		switch path {
		case "description":
			in.Description = &desired.description
		case "disableExecuteApiEndpoint":
			in.DisableExecuteApiEndpoint = &desired.disabled
		case "ipAddressType":
			in.IpAddressType = types.IpAddressType(desired.address)
		case "name":
			in.Name = &desired.name
		case "version":
			in.Version = &desired.version
		}
	}
	if cors && desired.cors.emptyCors() {
		out, err := w.apis.DeleteCorsConfiguration(ctx, &apigatewayv2.DeleteCorsConfigurationInput{ApiId: w.id})
		if err != nil {
			return classify(err)
		}
		_ = w.did(out.ResultMetadata)
	} else if cors {
		in.CorsConfiguration, update = desired.cors.apiCors(), true
	}
	if !update {
		return nil
	}
	out, err := w.apis.UpdateApi(ctx, in)
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

func (w *apiWrite) authorizers(ctx context.Context) error {
	for _, name := range sortedKeys(w.want.authorizers) {
		want := w.want.authorizers[name]
		if !w.allowed(keyPath(pathAuthorizers, name)) {
			continue
		}
		now := w.now.authorizer(name)
		if now != nil && canonicalJSON(liveAuthorizer(*now)) == canonicalJSON(want) {
			continue
		}
		if err := w.putAuthorizer(ctx, name, now, want); err != nil {
			return err
		}
	}
	return nil
}

func (w *apiWrite) putAuthorizer(ctx context.Context, name string, now *types.Authorizer, want apiAuthorizer) error {
	in := apigatewayv2.CreateAuthorizerInput{
		ApiId: w.id, Name: &name, AuthorizerType: types.AuthorizerType(want.Type), IdentitySource: want.Identity,
	}
	if want.Type == string(types.AuthorizerTypeJwt) {
		in.JwtConfiguration = &types.JWTConfiguration{Issuer: &want.Issuer, Audience: want.Audience}
	} else {
		in.AuthorizerUri, in.AuthorizerPayloadFormatVersion = awssdk.String(w.p.invocation(want.Function)), &want.Payload
		in.AuthorizerResultTtlInSeconds, in.EnableSimpleResponses = awssdk.Int32(int32(want.TTL)), &want.Simple
		in.AuthorizerCredentialsArn = awssdk.String("")
	}
	if now == nil {
		if want.Credentials == "" {
			in.AuthorizerCredentialsArn = nil
		}
		out, err := w.apis.CreateAuthorizer(ctx, &in)
		if err != nil {
			return classify(err)
		}
		return w.did(out.ResultMetadata)
	}
	out, err := w.apis.UpdateAuthorizer(ctx, &apigatewayv2.UpdateAuthorizerInput{
		ApiId: w.id, AuthorizerId: now.AuthorizerId, Name: in.Name, AuthorizerType: in.AuthorizerType, IdentitySource: in.IdentitySource,
		JwtConfiguration: in.JwtConfiguration, AuthorizerUri: in.AuthorizerUri, AuthorizerPayloadFormatVersion: in.AuthorizerPayloadFormatVersion,
		AuthorizerResultTtlInSeconds: in.AuthorizerResultTtlInSeconds, EnableSimpleResponses: in.EnableSimpleResponses,
		AuthorizerCredentialsArn: in.AuthorizerCredentialsArn,
	})
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

// removed takes away what was undeclared on the API.
func (w *apiWrite) removed(ctx context.Context) error {
	for _, path := range w.c.Remove {
		if name, ok := keyOf(pathAuthorizers, path); ok {
			now := w.now.authorizer(name)
			if now == nil {
				continue
			}
			out, err := w.apis.DeleteAuthorizer(ctx, &apigatewayv2.DeleteAuthorizerInput{ApiId: w.id, AuthorizerId: now.AuthorizerId})
			if err != nil {
				return classify(err)
			}
			_ = w.did(out.ResultMetadata)
		}
		if key, ok := keyOf(pathRouteSettings, path); ok {
			out, err := w.apis.DeleteRouteSettings(ctx, &apigatewayv2.DeleteRouteSettingsInput{ApiId: w.id, StageName: &w.want.stage.name, RouteKey: &key})
			if err != nil && !isAbsent(err) {
				return classify(err)
			}
			if err == nil {
				_ = w.did(out.ResultMetadata)
			}
		}
		if name, ok := keyOf(pathStageVariables, path); ok {
			out, err := w.apis.UpdateStage(ctx, &apigatewayv2.UpdateStageInput{
				ApiId: w.id, StageName: &w.want.stage.name, StageVariables: map[string]string{name: ""}, // which takes it away
			})
			if err != nil {
				return classify(err)
			}
			_ = w.did(out.ResultMetadata)
		}
	}
	return nil
}

// remove deletes an API with everything on it.
func (k apiKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.lookAPI(ctx, k.p.front, res)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(now.api.Tags)); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, now.guard()); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.apis.DeleteApi(ctx, &apigatewayv2.DeleteApiInput{ApiId: now.api.ApiId})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
