package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// urlKind is a function URL on an alias.
type urlKind struct{ p *Provider }

func (k urlKind) rights() []rights.Row {
	return []rights.Row{
		toObserve(functionARN, "lambda:GetFunction", "lambda:GetFunctionUrlConfig"),
		toManage(functionARN, "lambda:CreateFunctionUrlConfig", "lambda:DeleteFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"),
	}
}

type functionURL struct {
	authType, invokeMode               string
	credentials                        bool
	headers, methods, origins, exposed []string
	maxAge                             int
}

var urlMembers = []member[functionURL]{
	{"authType", func(u *functionURL) any { return u.authType }, func(d, s *functionURL) { d.authType = s.authType }},
	{"cors.allowCredentials", func(u *functionURL) any { return u.credentials }, func(d, s *functionURL) { d.credentials = s.credentials }},
	{"cors.allowHeaders", func(u *functionURL) any { return headerSet(u.headers) }, func(d, s *functionURL) { d.headers = s.headers }},
	{"cors.allowMethods", func(u *functionURL) any { return set(u.methods) }, func(d, s *functionURL) { d.methods = s.methods }},
	{"cors.allowOrigins", func(u *functionURL) any { return set(u.origins) }, func(d, s *functionURL) { d.origins = s.origins }},
	{"cors.exposeHeaders", func(u *functionURL) any { return headerSet(u.exposed) }, func(d, s *functionURL) { d.exposed = s.exposed }},
	{"cors.maxAge", func(u *functionURL) any { return u.maxAge }, func(d, s *functionURL) { d.maxAge = s.maxAge }},
	{"invokeMode", func(u *functionURL) any { return u.invokeMode }, func(d, s *functionURL) { d.invokeMode = s.invokeMode }},
}

// headerSet: header names mean the same in any case.
func headerSet(names []string) []string {
	lower := make([]string, 0, len(names))
	for _, n := range names {
		lower = append(lower, strings.ToLower(n))
	}
	return set(lower)
}

func declaredURL(res manifest.Resource) (*functionURL, *manifest.URLSpec, error) {
	spec, ok := res.Spec.(*manifest.URLSpec)
	if !ok {
		return nil, nil, wrongSpec(res)
	}
	u := &functionURL{authType: orElse(spec.AuthType, "AWS_IAM"), invokeMode: orElse(spec.InvokeMode, "BUFFERED")}
	if c := spec.Cors; c != nil {
		u.credentials, u.headers, u.methods, u.origins = c.AllowCredentials, c.AllowHeaders, c.AllowMethods, c.AllowOrigins
		u.exposed, u.maxAge = c.ExposeHeaders, c.MaxAge
	}
	return u, spec, nil
}

func liveURL(c *types.FunctionUrlConfig) *functionURL {
	u := &functionURL{authType: string(c.AuthType), invokeMode: orElse(strings.ToUpper(string(c.InvokeMode)), "BUFFERED")}
	if c := c.Cors; c != nil {
		u.credentials, u.headers, u.methods, u.origins = awssdk.ToBool(c.AllowCredentials), c.AllowHeaders, c.AllowMethods, c.AllowOrigins
		u.exposed, u.maxAge = c.ExposeHeaders, int(awssdk.ToInt32(c.MaxAge))
	}
	return u
}

func (k urlKind) canonical(res manifest.Resource, b *builder) error {
	u, _, err := declaredURL(res)
	if err != nil {
		return err
	}
	each(b, urlMembers, u)
	return nil
}

func (k urlKind) live(ref manifest.Ref, c *types.FunctionUrlConfig, parent providers.Owner) providers.Live {
	b := k.p.builder(nil)
	each(b, urlMembers, liveURL(c))
	live := b.live()
	live.Guard = urlGuard(c)
	live.Owner = childOwner(parent, ref)
	live.Attributes = map[string]string{"url": awssdk.ToString(c.FunctionUrl), "arn": awssdk.ToString(c.FunctionArn), "name": awssdk.ToString(c.FunctionUrl), "id": awssdk.ToString(c.FunctionUrl)}
	remember(&k.p.memory, k.p.memory.known, ref, live.Attributes)
	return live
}

// urlGuard holds while the URL looks the same; AWS gives it no revision.
func urlGuard(c *types.FunctionUrlConfig) providers.Guard {
	b := &builder{fields: map[string]string{}}
	each(b, urlMembers, liveURL(c))
	return seen([]any{awssdk.ToString(c.FunctionArn), b.fields})
}

func (p *Provider) getURL(ctx context.Context, cl *clients, physical string, qualifier *string) (*types.FunctionUrlConfig, error) {
	out, err := cl.lambda.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: &physical, Qualifier: qualifier})
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	return &types.FunctionUrlConfig{
		AuthType: out.AuthType, CreationTime: out.CreationTime, FunctionArn: qualified(out.FunctionArn, awssdk.ToString(qualifier)), FunctionUrl: out.FunctionUrl,
		LastModifiedTime: out.LastModifiedTime, Cors: out.Cors, InvokeMode: out.InvokeMode,
	}, nil
}

func (k urlKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	_, spec, err := declaredURL(res)
	if err != nil {
		return providers.Live{}, err
	}
	parent, err := k.p.lookOrRecall(ctx, cl, res.Physical)
	if err != nil || parent.absent {
		return providers.Live{}, err
	}
	at := k.p.o.Now()
	c, err := k.p.getURL(ctx, cl, res.Physical, qualifier(res, spec.Alias))
	if err != nil || c == nil {
		return providers.Live{}, err
	}
	live := k.live(res.Ref, c, parent.owner())
	live.SeenAt = at
	return live, nil
}

func (k urlKind) put(ctx context.Context, c providers.Change) (providers.Receipt, error) {
	want, spec, err := declaredURL(c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	parent, err := k.p.parentLook(ctx, c.Resource, c.Adopt || c.Resource.Adopt)
	if err != nil {
		return providers.Receipt{}, err
	}
	q := qualifier(c.Resource, spec.Alias)
	now, err := k.p.getURL(ctx, k.p.front, c.Resource.Physical, q)
	if err != nil {
		return providers.Receipt{}, err
	}
	if now == nil {
		if c.Guard != "" {
			return providers.Receipt{}, providers.Errorf(providers.Conflict, "is not there any more")
		}
		out, err := k.p.front.lambda.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{
			FunctionName: &c.Resource.Physical, Qualifier: q, AuthType: types.FunctionUrlAuthType(want.authType),
			InvokeMode: types.InvokeMode(want.invokeMode), Cors: want.cors(),
		})
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		return receipt(out.ResultMetadata), nil
	}
	if err := holds(c.Guard, k.live(c.Resource.Ref, now, parent.owner()).Guard); err != nil {
		return providers.Receipt{}, err
	}
	desired := liveURL(now)
	changed := merge(urlMembers, desired, want, allowedBy(c.Fields))
	if len(changed) == 0 {
		return providers.Receipt{}, nil
	}
	out, err := k.p.front.lambda.UpdateFunctionUrlConfig(ctx, urlUpdate(c.Resource.Physical, q, desired, changed))
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}

// urlUpdate names only what changes: what is left out stays.
func urlUpdate(function string, qualifier *string, desired *functionURL, changed []string) *lambda.UpdateFunctionUrlConfigInput {
	in := &lambda.UpdateFunctionUrlConfigInput{FunctionName: &function, Qualifier: qualifier}
	for _, path := range changed {
		switch path {
		case "authType":
			in.AuthType = types.FunctionUrlAuthType(desired.authType)
		case "invokeMode":
			in.InvokeMode = types.InvokeMode(desired.invokeMode)
		default:
			in.Cors = desired.cors()
		}
	}
	return in
}

func (u *functionURL) cors() *types.Cors {
	c := &types.Cors{}
	if u.credentials {
		c.AllowCredentials = awssdk.Bool(true)
	}
	if u.maxAge > 0 {
		c.MaxAge = awssdk.Int32(int32(u.maxAge))
	}
	c.AllowHeaders, c.AllowMethods, c.AllowOrigins, c.ExposeHeaders = u.headers, u.methods, u.origins, u.exposed
	return c
}

func (k urlKind) remove(ctx context.Context, res manifest.Resource, guard providers.Guard) (providers.Receipt, error) {
	_, spec, err := declaredURL(res)
	if err != nil {
		return providers.Receipt{}, err
	}
	parent, err := k.p.look(ctx, k.p.front, res.Physical)
	if err != nil || parent.absent {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(parent.owner()); err != nil {
		return providers.Receipt{}, err
	}
	return k.drop(ctx, res.Physical, qualifier(res, spec.Alias), guard)
}

func (k urlKind) drop(ctx context.Context, physical string, qualifier *string, guard providers.Guard) (providers.Receipt, error) {
	now, err := k.p.getURL(ctx, k.p.front, physical, qualifier)
	if err != nil || now == nil {
		return providers.Receipt{}, err
	}
	if err := holds(guard, urlGuard(now)); err != nil {
		return providers.Receipt{}, err
	}
	out, err := k.p.front.lambda.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &physical, Qualifier: qualifier})
	if isAbsent(err) {
		return providers.Receipt{}, nil
	}
	if err != nil {
		return providers.Receipt{}, classify(err)
	}
	return receipt(out.ResultMetadata), nil
}
