package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Provider is one environment's view of a Platform.
type Provider struct {
	p                     *Platform
	pipeline, environment string
}

var (
	_ providers.Provider       = (*Provider)(nil)
	_ providers.Meter          = (*Provider)(nil)
	_ providers.Invoker        = (*Provider)(nil)
	_ providers.ActorFinder    = (*Provider)(nil)
	_ providers.Cleaner        = (*Provider)(nil)
	_ providers.Switcher       = (*Provider)(nil)
	_ providers.AccountChecker = (*Provider)(nil)
)

func arn(kind, physical string) string { return "arn:memory:" + kind + "/" + physical }

// Observe reads resources now.
func (pr *Provider) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[manifest.Ref]providers.Live, len(want))
	failed := map[manifest.Ref]error{}
	for _, res := range want {
		if err := ctx.Err(); err != nil {
			failed[res.Ref] = err
			continue
		}
		if err := p.inject("observe", res.Ref); err != nil {
			failed[res.Ref] = err
			continue
		}
		out[res.Ref] = p.look(NameOf(res))
	}
	if len(failed) > 0 {
		return out, &providers.ObserveError{Refs: failed}
	}
	return out, nil
}

// look is a thing as it shows; absent is the zero Live.
func (p *Platform) look(n Name) providers.Live {
	t := p.shown(n)
	if t == nil {
		return providers.Live{}
	}
	now := p.o.Now()
	live := providers.Live{
		Exists: true, Spec: specOf(n.Kind, t.fields, t.sensitive), Routing: t.routing, Guard: t.guard(),
		Settling: now.Before(t.settles), Failed: t.failed, Faults: maps.Clone(t.faults), Owner: t.owner, Note: t.note, SeenAt: now,
		Attributes: map[string]string{"arn": arn(n.Kind, n.Physical), "name": n.Physical},
	}
	switch {
	case n.Kind == manifest.KindQueue:
		live.Attributes["url"] = "memory://" + n.Physical
	case n.Kind == manifest.KindRole:
		live.Attributes["id"] = fmt.Sprintf("%s-%d", n.Physical, t.born)
	case n.Kind == manifest.KindAPI:
		live.Attributes["url"], live.Attributes["executeArn"] = "memory://"+n.Physical, live.Attributes["arn"]+"/execute"
	case n.Kind == manifest.KindLogGroup:
		live.Attributes["streamsArn"] = live.Attributes["arn"] + ":*"
	case n.Kind == manifest.KindBucket:
		live.Attributes[manifest.AttributeObjects] = live.Attributes["arn"] + "/*"
	case n.Kind == manifest.KindTable:
		live.Attributes["streamArn"] = live.Attributes["arn"] + "/stream/1"
	case manifest.AliasKind(n.Kind):
		live.Attributes["arn"] = arn(manifest.VersionedBy(n.Kind), n.Physical) + ":" + n.Key
	case n.Kind == manifest.KindLayer:
		live.Published = layerVersions(t)
	case manifest.Versioned(n.Kind):
		live.Published = make(map[string]providers.Version, len(t.versions))
		for number, v := range t.versions {
			live.Published[number] = providers.Version{Number: number, Snapshot: v.snapshot, Ready: !now.Before(v.ready)}
		}
	}
	maps.Copy(live.Attributes, t.addresses)
	return live
}

// Survey looks at everything wanted, everything else owned by this
// environment, and extras on owned things.
func (pr *Provider) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return providers.Inventory{}, err
	}
	if err := p.inject("survey", manifest.Ref{}); err != nil {
		return providers.Inventory{}, fmt.Errorf("survey %s: %w", pr.environment, err)
	}
	now := p.o.Now()
	inv := providers.Inventory{
		At: now, Complete: true, Live: make(map[manifest.Ref]providers.Live, len(want)),
		Orphans: map[manifest.Ref]providers.Live{}, Errors: map[manifest.Ref]error{},
		Layers: map[string]time.Time{"all": now},
	}
	asked := make(map[Name]manifest.Ref, len(want))
	partial := p.o.Partial != nil && p.o.Partial()
	for i, res := range want {
		asked[NameOf(res)] = res.Ref
		if err := p.inject("look", res.Ref); err != nil {
			inv.Errors[res.Ref] = err
			continue
		}
		if partial && i%2 == 1 {
			continue
		}
		inv.Live[res.Ref] = p.look(NameOf(res))
	}
	inv.Complete = !partial
	parents := pr.owned(asked, inv, partial)
	inv.Extras = p.extras(parents, asked)
	inv.Calls = 1 + len(p.things)/50
	return inv, nil
}

// owned collects orphans, and gives the ref of every owned parent by name.
func (pr *Provider) owned(asked map[Name]manifest.Ref, inv providers.Inventory, partial bool) map[Name]manifest.Ref {
	parents := map[Name]manifest.Ref{}
	for name := range pr.p.things {
		t := pr.p.shown(name)
		if t == nil || !pr.owns(t.owner) {
			continue
		}
		ref, ok := asked[name]
		if !ok {
			var err error
			if ref, err = manifest.ParseRef(t.owner.Resource); err != nil || partial {
				continue
			}
			inv.Orphans[ref] = pr.p.look(name)
		}
		parents[name] = ref
	}
	return parents
}

// extras are things on owned parents that were not asked for.
func (p *Platform) extras(parents map[Name]manifest.Ref, asked map[Name]manifest.Ref) []providers.Extra {
	var extras []providers.Extra
	for name := range p.things {
		if _, ok := asked[name]; ok || !child(name.Kind) {
			continue
		}
		t := p.shown(name)
		parent, ok := parents[parentName(name)]
		if t == nil || !ok {
			continue
		}
		ref := manifest.Ref{Kind: name.Kind, Name: parent.Name}
		if name.Key != "" {
			ref.Name += "." + name.Key
		}
		extras = append(extras, providers.Extra{
			Ref: ref, Parent: parent, Spec: specOf(name.Kind, t.fields, t.sensitive), Guard: t.guard(),
			Open: t.isOpen(), SeenAt: p.o.Now(),
		})
	}
	slices.SortFunc(extras, func(a, b providers.Extra) int { return a.Ref.Compare(b.Ref) })
	return extras
}

// isOpen is true for what lets the public in or grants rights.
func (t *thing) isOpen() bool {
	switch t.name.Kind {
	case manifest.KindPermission:
		return t.open || t.fields["principal"] == `"*"`
	case manifest.KindURL:
		return t.open || t.fields["authType"] == `"NONE"`
	case KindPolicy:
		return true
	}
	return t.open
}

func child(kind string) bool {
	switch kind {
	case manifest.KindAlias, manifest.KindTrigger, manifest.KindPermission, manifest.KindURL, manifest.KindAsync, manifest.KindConcurrency, manifest.KindProvisioned, manifest.KindRuntimeManagement, manifest.KindWorkflowAlias,
		manifest.KindNotification, KindPolicy:
		return true
	}
	return false
}

func parentName(n Name) Name {
	switch n.Kind {
	case KindPolicy:
		return Name{Kind: manifest.KindRole, Physical: n.Physical}
	case manifest.KindWorkflowAlias:
		return Name{Kind: manifest.KindWorkflow, Physical: n.Physical}
	}
	return Name{Kind: manifest.KindFunction, Physical: n.Physical}
}

func (pr *Provider) owns(o providers.Owner) bool {
	return o.Pipeline == pr.pipeline && o.Environment == pr.environment && o != (providers.Owner{})
}

// Actors is the audit trail of a resource since a time, newest first.
func (pr *Provider) Actors(ctx context.Context, res manifest.Resource, since time.Time) ([]providers.Actor, error) {
	p := pr.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := p.inject("actors", res.Ref); err != nil {
		return nil, err
	}
	var actors []providers.Actor
	names := []Name{NameOf(res)}
	for _, name := range slices.SortedFunc(maps.Keys(p.things), compareNames) {
		if child(name.Kind) && parentName(name) == names[0] {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if t := p.things[name]; t != nil {
			for _, a := range t.audit {
				if !a.At.Before(since) {
					actors = append(actors, a)
				}
			}
		}
	}
	slices.SortStableFunc(actors, func(a, b providers.Actor) int { return b.At.Compare(a.At) })
	return actors, nil
}

// Explains: what was done to a field names it; anything else may have.
func (pr *Provider) Explains(a providers.Actor, ref manifest.Ref, path string) bool {
	names, known := eventsOf[ref.Kind]
	switch {
	case !known:
		return true
	case ref.Kind == manifest.KindFunction && (path == "code" || path == "architectures"):
		names = []string{"UpdateFunctionCode"}
	case ref.Kind == manifest.KindFunction && path == "codeSigningConfigArn":
		names = []string{"PutFunctionCodeSigningConfig", "DeleteFunctionCodeSigningConfig"}
	case ref.Kind == manifest.KindFunction && path == "recursiveLoop":
		names = []string{"PutFunctionRecursionConfig"}
	case ref.Kind == manifest.KindFunction && path != "" && !strings.HasPrefix(path, "tags"):
		names = []string{"UpdateFunctionConfiguration"}
	}
	return slices.ContainsFunc(names, func(prefix string) bool { return strings.HasPrefix(a.Event, prefix) })
}

// eventsOf are the events that change a kind, by the beginning of their name.
var eventsOf = map[string][]string{
	manifest.KindFunction:          {"UpdateFunction", "TagResource", "UntagResource", "DeleteFunction", "CreateFunction"},
	manifest.KindAlias:             {"UpdateAlias", "DeleteAlias", "CreateAlias"},
	manifest.KindTrigger:           {"UpdateEventSourceMapping", "DeleteEventSourceMapping", "CreateEventSourceMapping"},
	manifest.KindPermission:        {"AddPermission", "RemovePermission"},
	manifest.KindURL:               {"CreateFunctionUrlConfig", "UpdateFunctionUrlConfig", "DeleteFunctionUrlConfig"},
	manifest.KindAsync:             {"PutFunctionEventInvokeConfig", "UpdateFunctionEventInvokeConfig", "DeleteFunctionEventInvokeConfig"},
	manifest.KindConcurrency:       {"PutFunctionConcurrency", "DeleteFunctionConcurrency"},
	manifest.KindProvisioned:       {"PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig"},
	manifest.KindRuntimeManagement: {"PutRuntimeManagementConfig"},
}

// CheckAccount answers the platform's one account.
func (pr *Provider) CheckAccount(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if pr.p.o.Account == "" {
		return "memory", nil
	}
	return pr.p.o.Account, nil
}

func (p *Platform) inject(op string, ref manifest.Ref) error {
	if p.o.Inject == nil {
		return nil
	}
	return p.o.Inject(op, ref)
}
