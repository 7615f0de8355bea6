package aws

import (
	"context"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

const layerAPIs = "apis"

// Things on an API that are no resources of their own.
const (
	kindStage       = "Stage"
	kindIntegration = "Integration"
)

// apisLook is the last look at every API that is ours or is to be.
type apisLook struct {
	at      time.Time
	listed  []types.Api
	looks   map[string]*apiLook // by id
	touched int
	digest  string // of what was wanted then
}

// survey looks at APIs and their routes together: one listing, and one look at
// the parts of each API, in rotation and at once when one was written.
func (k apiKind) survey(ctx context.Context, s *sweep) {
	apis, routes := s.ofKind(manifest.KindAPI), s.ofKind(manifest.KindRoute)
	look, err := k.lookAll(ctx, s, apis, routes)
	if err != nil {
		for _, res := range append(apis, routes...) {
			s.fail(res.Ref, about("observe", res.Ref, err))
		}
		s.fail(manifest.Ref{}, about("list the APIs of", manifest.Ref{Kind: "Environment", Name: s.p.o.Environment}, err))
		return
	}
	if len(apis)+len(routes)+len(look.looks) > 0 {
		s.layer(layerAPIs, look.at)
	}
	for _, res := range apis {
		if err := k.report(ctx, s, look, res); err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
		}
	}
	for _, res := range routes {
		if err := k.reportRoute(s, look, res); err != nil {
			s.fail(res.Ref, about("observe", res.Ref, err))
		}
	}
	if err := k.orphans(ctx, s, look); err != nil {
		s.fail(manifest.Ref{}, err)
	}
}

// lookAll is the last look, or a new one.
func (k apiKind) lookAll(ctx context.Context, s *sweep, apis, routes []manifest.Resource) (*apisLook, error) {
	touched, wanted := 0, map[string]string{}
	for _, res := range append(append([]manifest.Resource(nil), apis...), routes...) {
		touched += k.p.memory.touches(lockName(res))
		wanted[res.Ref.String()] = res.Digest
	}
	k.p.memory.mu.Lock()
	last := k.p.memory.apis
	k.p.memory.mu.Unlock()
	if last != nil && last.touched == touched && last.digest == digestOf(wanted) && s.at.Sub(last.at) < k.p.o.LayerAge {
		return last, nil
	}
	look := &apisLook{at: s.at, looks: map[string]*apiLook{}, touched: touched, digest: digestOf(wanted)}
	var err error
	if look.listed, err = k.p.listAPIs(ctx, s.cl); err != nil {
		return nil, classify(err)
	}
	for _, a := range look.listed {
		if !k.p.owns(ownerOf(a.Tags)) && !k.mayBecome(a, apis) {
			continue
		}
		l, err := k.p.lookParts(ctx, s.cl, a)
		if err != nil {
			return nil, err
		}
		if l != nil {
			l.at = s.at
			look.looks[awssdk.ToString(a.ApiId)] = l
		}
	}
	k.p.memory.mu.Lock()
	defer k.p.memory.mu.Unlock()
	k.p.memory.apis = look
	return look, nil
}

// mayBecome: an API of nobody that has the name of a wanted one.
func (k apiKind) mayBecome(a types.Api, wanted []manifest.Resource) bool {
	for _, res := range wanted {
		if awssdk.ToString(a.Name) == res.Physical && ownerOf(a.Tags) == (providers.Owner{}) {
			return true
		}
	}
	return false
}

func (k apiKind) report(ctx context.Context, s *sweep, look *apisLook, res manifest.Resource) error {
	found, err := k.p.pickAPI(look.listed, res)
	if err != nil {
		return err
	}
	if found == nil || look.looks[awssdk.ToString(found.ApiId)] == nil {
		s.see(res.Ref, providers.Live{})
		return nil
	}
	l := look.looks[awssdk.ToString(found.ApiId)]
	live, err := k.live(ctx, s.cl, res, l)
	if err != nil {
		return err
	}
	s.see(res.Ref, live)
	if k.p.owns(live.Owner) {
		k.extras(s, res, l)
	}
	return nil
}

func (k apiKind) reportRoute(s *sweep, look *apisLook, res manifest.Resource) error {
	spec, ok := res.Spec.(*manifest.RouteSpec)
	if !ok {
		return wrongSpec(res)
	}
	found, err := k.p.apiOf(look.listed, spec.API.Ref)
	if err != nil {
		return err
	}
	if found != nil {
		if l := look.looks[awssdk.ToString(found.ApiId)]; l != nil {
			if in := l.integration(res.Ref, k.p.aliasARN(res, spec.Alias, k.p.builder(nil)), spec.Routes); in != nil {
				s.see(res.Ref, routeKind(k).live(res, l, in))
				return nil
			}
		}
	}
	s.see(res.Ref, providers.Live{})
	return nil
}

// orphans are our APIs, and integrations on them, that nobody declares.
func (k apiKind) orphans(ctx context.Context, s *sweep, look *apisLook) error {
	for _, id := range sortedKeys(look.looks) {
		l := look.looks[id]
		owner := ownerOf(l.api.Tags)
		ref, err := manifest.ParseRef(owner.Resource)
		if !k.p.owns(owner) || err != nil {
			continue
		}
		if _, wanted := s.byRef[ref]; !wanted {
			live, err := k.live(ctx, s.cl, manifest.Resource{Ref: ref, Physical: awssdk.ToString(l.api.Name)}, l)
			if err != nil {
				return err
			}
			s.orphan(ref, live)
		}
		for i := range l.integrations {
			in := &l.integrations[i]
			name, ours := strings.CutPrefix(awssdk.ToString(in.Description), markPrefix)
			ref, err := manifest.ParseRef(name)
			if _, wanted := s.byRef[ref]; ours && err == nil && !wanted {
				s.orphan(ref, routeKind(k).live(manifest.Resource{Ref: ref, Physical: name}, l, in))
			}
		}
	}
	return nil
}

// extras are stages, routes and integrations of an API that nobody declares.
func (k apiKind) extras(s *sweep, res manifest.Resource, l *apiLook) {
	spec, ok := res.Spec.(*manifest.APISpec)
	if !ok {
		return
	}
	for i := range l.stages {
		if name := awssdk.ToString(l.stages[i].StageName); name != orElse(spec.Stage.StageName, defaultStage) {
			k.extra(s, res, l, kindStage, name)
		}
	}
	claimed := k.claimed(s, res, l)
	for i := range l.routes {
		if id := strings.TrimPrefix(awssdk.ToString(l.routes[i].Target), "integrations/"); !claimed[id] {
			k.extra(s, res, l, manifest.KindRoute, awssdk.ToString(l.routes[i].RouteKey))
		}
	}
	for i := range l.integrations {
		if id := awssdk.ToString(l.integrations[i].IntegrationId); !claimed[id] && len(l.leads(&l.integrations[i])) == 0 {
			k.extra(s, res, l, kindIntegration, id)
		}
	}
}

// claimed are the integrations that a resource stands for: one that is wanted,
// or one that was and is removed as such.
func (k apiKind) claimed(s *sweep, api manifest.Resource, l *apiLook) map[string]bool {
	out := map[string]bool{}
	for _, res := range s.ofKind(manifest.KindRoute) {
		if spec, ok := res.Spec.(*manifest.RouteSpec); ok && spec.API.Ref == api.Ref {
			if in := l.integration(res.Ref, k.p.aliasARN(res, spec.Alias, k.p.builder(nil)), spec.Routes); in != nil {
				out[awssdk.ToString(in.IntegrationId)] = true
			}
		}
	}
	for i := range l.integrations {
		ref, err := manifest.ParseRef(strings.TrimPrefix(awssdk.ToString(l.integrations[i].Description), markPrefix))
		if _, wanted := s.byRef[ref]; isMarked(&l.integrations[i]) && err == nil && !wanted {
			out[awssdk.ToString(l.integrations[i].IntegrationId)] = true
		}
	}
	return out
}

func (k apiKind) extra(s *sweep, api manifest.Resource, l *apiLook, kind, name string) {
	fields, open := l.extraFields(kind, name)
	b := k.p.builder(nil)
	for path, value := range fields {
		b.set(path, value)
	}
	s.extra(providers.Extra{
		Ref: manifest.Ref{Kind: kind, Name: api.Ref.Name + "." + name}, Parent: api.Ref, Spec: b.spec(), Guard: l.extraGuard(kind, name),
		Open: open, SeenAt: l.at,
	})
}

// extraFields show an extra; open is true for a route that asks nobody who
// calls.
func (l *apiLook) extraFields(kind, name string) (fields map[string]any, open bool) {
	switch kind {
	case kindStage:
		if st := l.stage(name); st != nil {
			s := liveStage(st)
			return map[string]any{"autoDeploy": s.automatic, "description": s.description}, false
		}
	case manifest.KindRoute:
		if r := l.route(name); r != nil {
			entry := l.entry(r)
			fields = map[string]any{"authorization": entry.Authorization, "target": awssdk.ToString(r.Target)}
			if in := l.byID(strings.TrimPrefix(awssdk.ToString(r.Target), "integrations/")); in != nil {
				fields["integrationUri"] = awssdk.ToString(in.IntegrationUri)
			}
			return fields, entry.Authorization == noAuth && !awssdk.ToBool(l.api.DisableExecuteApiEndpoint)
		}
	case kindIntegration:
		if in := l.byID(name); in != nil {
			return map[string]any{"integrationType": string(in.IntegrationType), "integrationUri": awssdk.ToString(in.IntegrationUri)}, false
		}
	}
	return nil, false
}

func (l *apiLook) byID(id string) *types.Integration {
	for i := range l.integrations {
		if awssdk.ToString(l.integrations[i].IntegrationId) == id {
			return &l.integrations[i]
		}
	}
	return nil
}

func (l *apiLook) extraGuard(kind, name string) providers.Guard {
	fields, _ := l.extraFields(kind, name)
	return seen([]any{awssdk.ToString(l.api.ApiId), kind, name, fields})
}

// detach takes an undeclared thing off an API of ours.
func (k routeKind) detach(ctx context.Context, parent manifest.Resource, extra providers.Extra) (providers.Receipt, error) {
	name, ok := strings.CutPrefix(extra.Ref.Name, parent.Ref.Name+".")
	if !ok {
		return providers.Receipt{}, providers.Errorf(providers.Invalid, "is not on %s", parent.Ref)
	}
	l, err := k.p.lookAPI(ctx, k.p.front, parent)
	if err != nil || l == nil {
		return providers.Receipt{}, err
	}
	if err := k.p.mayDelete(ownerOf(l.api.Tags)); err != nil {
		return providers.Receipt{}, err
	}
	if fields, _ := l.extraFields(extra.Ref.Kind, name); fields == nil {
		return providers.Receipt{}, nil // it went by itself
	}
	if err := holds(extra.Guard, l.extraGuard(extra.Ref.Kind, name)); err != nil {
		return providers.Receipt{}, err
	}
	w := &routeWrite{apis: k.p.front.apis, l: l, id: l.api.ApiId}
	switch extra.Ref.Kind {
	case kindStage:
		out, err := w.apis.DeleteStage(ctx, &apigatewayv2.DeleteStageInput{ApiId: w.id, StageName: &name})
		if err != nil {
			return providers.Receipt{}, classify(err)
		}
		return receipt(out.ResultMetadata), nil
	case kindIntegration:
		err = w.drop(ctx, l.byID(name))
		return w.receipt, err
	}
	err = w.dropRoute(ctx, l.route(name).RouteId)
	return w.receipt, err
}
