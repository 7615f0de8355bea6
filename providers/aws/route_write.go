package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/smithy-go/middleware"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k routeKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	b := k.p.builder(c.Bindings)
	want, spec, err := k.declared(c.Resource, b)
	if err != nil {
		return providers.Receipt{}, err
	}
	b.value(spec.API)
	if err := refuseUnbound(b.spec()); err != nil {
		return providers.Receipt{}, err
	}
	l, in, err := k.look(ctx, k.p.front, c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	if l == nil {
		return providers.Receipt{}, providers.Errorf(providers.Transient, "%s does not live yet", spec.API.Ref)
	}
	if err := k.p.mayWrite(ownerOf(l.api.Tags), false); err != nil {
		return providers.Receipt{}, err
	}
	w := &routeWrite{apis: k.p.front.apis, l: l, id: l.api.ApiId, c: c, allowed: allowedBy(c.Fields)}
	if in == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		if in, err = w.create(ctx, want); err != nil {
			return w.receipt, err
		}
	} else {
		if err := holds(c.Guard, l.routeGuard(in)); err != nil {
			return providers.Receipt{}, err
		}
		if err := w.update(ctx, in, want); err != nil {
			return w.receipt, err
		}
	}
	if err := w.routes(ctx, in, want); err != nil {
		return w.receipt, err
	}
	err = w.removed(ctx, in)
	return w.receipt, err
}

// routeWrite is one write of an integration and its routes.
type routeWrite struct {
	apis    *apigatewayv2.Client
	l       *apiLook
	id      *string
	c       providers.Change
	allowed func(string) bool
	receipt providers.Receipt
}

func (w *routeWrite) did(meta middleware.Metadata) error {
	w.receipt.RequestIDs = append(w.receipt.RequestIDs, receipt(meta).RequestIDs...)
	return nil
}

func (w *routeWrite) create(ctx context.Context, want *routeForm) (*types.Integration, error) {
	out, err := w.apis.CreateIntegration(ctx, &apigatewayv2.CreateIntegrationInput{
		ApiId: w.id, IntegrationType: types.IntegrationTypeAwsProxy, IntegrationUri: &want.function, IntegrationMethod: awssdk.String("POST"),
		PayloadFormatVersion: &want.payload, TimeoutInMillis: awssdk.Int32(int32(want.timeout)), Description: awssdk.String(markOf(w.c.Resource.Ref)),
	})
	if err != nil {
		return nil, classify(err)
	}
	return &types.Integration{IntegrationId: out.IntegrationId}, w.did(out.ResultMetadata)
}

func (w *routeWrite) update(ctx context.Context, in *types.Integration, want *routeForm) error {
	desired := w.l.routeForm(in)
	mark := markOf(w.c.Resource.Ref)
	if len(merge(routeMembers, desired, want, w.allowed)) == 0 && awssdk.ToString(in.Description) == mark {
		return nil
	}
	uri := &desired.function
	if invoked(awssdk.ToString(in.IntegrationUri)) == desired.function {
		uri = in.IntegrationUri // another spelling of the same
	}
	out, err := w.apis.UpdateIntegration(ctx, &apigatewayv2.UpdateIntegrationInput{
		ApiId: w.id, IntegrationId: in.IntegrationId, IntegrationUri: uri, PayloadFormatVersion: &desired.payload,
		TimeoutInMillis: awssdk.Int32(int32(desired.timeout)), Description: &mark,
	})
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

// routes makes the routes that lead to the integration, or leads them to it.
func (w *routeWrite) routes(ctx context.Context, in *types.Integration, want *routeForm) error {
	target := "integrations/" + awssdk.ToString(in.IntegrationId)
	for _, key := range sortedKeys(want.routes) {
		if !w.allowed(keyPath(pathRoutes, key)) {
			continue
		}
		entry := want.routes[key]
		kind, authorizer, err := w.authorization(entry)
		if err != nil {
			return err
		}
		now := w.l.route(key)
		if now == nil {
			out, err := w.apis.CreateRoute(ctx, &apigatewayv2.CreateRouteInput{
				ApiId: w.id, RouteKey: &key, Target: &target, AuthorizationType: kind, AuthorizerId: authorizer, AuthorizationScopes: entry.Scopes,
			})
			if err != nil {
				return classify(err)
			}
			_ = w.did(out.ResultMetadata)
			continue
		}
		if awssdk.ToString(now.Target) == target && canonicalJSON(w.l.entry(now)) == canonicalJSON(entry) {
			continue
		}
		out, err := w.apis.UpdateRoute(ctx, &apigatewayv2.UpdateRouteInput{
			ApiId: w.id, RouteId: now.RouteId, Target: &target, AuthorizationType: kind, AuthorizerId: authorizer, AuthorizationScopes: list(entry.Scopes),
		})
		if err != nil {
			return classify(err)
		}
		_ = w.did(out.ResultMetadata)
	}
	return nil
}

// authorization resolves the name of an authorizer.
func (w *routeWrite) authorization(e routeEntry) (types.AuthorizationType, *string, error) {
	switch e.Authorization {
	case noAuth, string(types.AuthorizationTypeAwsIam):
		return types.AuthorizationType(e.Authorization), nil, nil
	}
	a := w.l.authorizer(e.Authorization)
	if a == nil {
		return "", nil, providers.Errorf(providers.Transient, "its authorizer %s does not live yet", e.Authorization)
	}
	if a.AuthorizerType == types.AuthorizerTypeJwt {
		return types.AuthorizationTypeJwt, a.AuthorizerId, nil
	}
	return types.AuthorizationTypeCustom, a.AuthorizerId, nil
}

// removed takes away routes that lead to the integration and are not declared.
func (w *routeWrite) removed(ctx context.Context, in *types.Integration) error {
	for _, path := range w.c.Remove {
		key, ok := keyOf(pathRoutes, path)
		if !ok {
			continue
		}
		now := w.l.route(key)
		if now == nil || awssdk.ToString(now.Target) != "integrations/"+awssdk.ToString(in.IntegrationId) {
			continue
		}
		if err := w.dropRoute(ctx, now.RouteId); err != nil {
			return err
		}
	}
	return nil
}

func (w *routeWrite) dropRoute(ctx context.Context, id *string) error {
	out, err := w.apis.DeleteRoute(ctx, &apigatewayv2.DeleteRouteInput{ApiId: w.id, RouteId: id})
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

// drop deletes an integration after the routes that lead to it.
func (w *routeWrite) drop(ctx context.Context, in *types.Integration) error {
	for _, r := range w.l.leads(in) {
		if err := w.dropRoute(ctx, r.RouteId); err != nil {
			return err
		}
	}
	out, err := w.apis.DeleteIntegration(ctx, &apigatewayv2.DeleteIntegrationInput{ApiId: w.id, IntegrationId: in.IntegrationId})
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return classify(err)
	}
	return w.did(out.ResultMetadata)
}

func (k routeKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	l, in, err := k.look(ctx, k.p.front, res)
	if err != nil || in == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(l.api.Tags)); err != nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, l.routeGuard(in)); err != nil {
		return providers.Receipt{}, err
	}
	w := &routeWrite{apis: k.p.front.apis, l: l, id: l.api.ApiId}
	err = w.drop(ctx, in)
	return w.receipt, err
}
