package aws

import (
	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// The tags that say who owns a thing.
const (
	tagPipeline    = "mooring:pipeline"
	tagEnvironment = "mooring:environment"
	tagResource    = "mooring:resource"
	tagRelease     = "mooring:release" // the last release that changed this resource
)

var ownershipTags = []string{tagPipeline, tagEnvironment, tagResource, tagRelease}

func isOwnershipTag(key string) bool {
	for _, k := range ownershipTags {
		if key == k {
			return true
		}
	}
	return false
}

func ownerOf(tags map[string]string) providers.Owner {
	return providers.Owner{
		Pipeline:    tags[tagPipeline],
		Environment: tags[tagEnvironment],
		Resource:    tags[tagResource],
		Release:     tags[tagRelease],
	}
}

// childOwner is the owner of a thing that cannot be tagged: its parent's.
func childOwner(parent providers.Owner, child manifest.Ref) providers.Owner {
	if parent == (providers.Owner{}) {
		return parent
	}
	parent.Resource = child.String()
	return parent
}

// ownership is the tags a resource of a release carries.
func (p *Provider) ownership(ref manifest.Ref, release string) map[string]string {
	tags := map[string]string{
		tagPipeline: p.o.Pipeline, tagEnvironment: p.o.Environment, tagResource: ref.String(),
	}
	if release != "" {
		tags[tagRelease] = release
	}
	return tags
}

// owns: the resource belongs to this pipeline and environment.
func (p *Provider) owns(o providers.Owner) bool {
	return o.Pipeline == p.o.Pipeline && o.Environment == p.o.Environment
}

// watches: what nobody declared on something owned so is told. A provider that
// only looks has tagged nothing, and watches what it was asked about all the
// same.
func (p *Provider) watches(o providers.Owner) bool {
	return p.owns(o) || p.o.ReadOnly && o == (providers.Owner{})
}

// mayWrite refuses to touch what others own, and what nobody owns unless
// taking it over is approved.
func (p *Provider) mayWrite(o providers.Owner, adopt bool) error {
	switch {
	case p.owns(o):
		return nil
	case o != (providers.Owner{}):
		return providers.Errorf(providers.Denied, "owned by pipeline %q, environment %q: never touched", o.Pipeline, o.Environment)
	case adopt:
		return nil
	}
	return providers.Errorf(providers.Denied, "exists without ownership tags: approve its adoption, or set metadata.adopt")
}

// mayDelete refuses to delete what this environment does not own.
func (p *Provider) mayDelete(o providers.Owner) error {
	if p.owns(o) {
		return nil
	}
	return providers.Errorf(providers.Denied, "not owned by pipeline %q, environment %q: never deleted", p.o.Pipeline, p.o.Environment)
}

// holds refuses when a thing is not as it was when the write was planned.
func holds(planned, now providers.Guard) error {
	if planned != "" && planned != now {
		return providers.Errorf(providers.Conflict, "changed since it was looked at (revision %s, now %s)", planned, now)
	}
	return nil
}

// seen is a guard for what AWS gives no revision: it holds while the thing
// looks the same.
func seen(v any) providers.Guard { return providers.Guard("seen:" + digestOf(v)[len("sha256:"):][:16]) }

// refuseUnbound: nothing is written that points at what does not live yet.
func refuseUnbound(s providers.Spec) error {
	if len(s.Unbound) == 0 {
		return nil
	}
	return providers.Errorf(providers.Transient, "%s does not live yet", s.Unbound[0])
}

// tagPlan is what to add and take away so that live tags carry the declared
// ones and the ownership.
type tagPlan struct {
	add    map[string]string
	remove []string
}

func (t tagPlan) empty() bool { return len(t.add) == 0 && len(t.remove) == 0 }

// planTags limits a change of tags to what is allowed. The release tag is only
// moved along with another change of tags, or when force is set.
func (p *Provider) planTags(c providers.Change, declared, live map[string]string, withRelease bool) tagPlan {
	plan := tagPlan{add: map[string]string{}}
	allowed := allowedBy(c.Fields)
	for k, v := range declared {
		if got, ok := live[k]; allowed(keyPath("tags", k)) && (!ok || got != v) {
			plan.add[k] = v
		}
	}
	for _, path := range c.Remove {
		if key, ok := keyOf("tags", path); ok && !isOwnershipTag(key) {
			if _, there := live[key]; there {
				plan.remove = append(plan.remove, key)
			}
		}
	}
	owned := p.ownership(c.Resource.Ref, c.Release)
	if !withRelease && len(plan.add) == 0 {
		delete(owned, tagRelease)
	}
	for k, v := range owned {
		if live[k] != v {
			plan.add[k] = v
		}
	}
	return plan
}

// setTags writes declared tags; foreign ones are nobody's business here.
func setTags(b *builder, declared, shown map[string]string) {
	for k := range declared {
		if v, ok := shown[k]; ok {
			b.set(keyPath("tags", k), v)
		}
	}
}

// allTags joins what a new resource is tagged with.
func (p *Provider) allTags(declared map[string]string, ref manifest.Ref, release string) map[string]string {
	tags := p.ownership(ref, release)
	for k, v := range declared {
		if !isOwnershipTag(k) {
			tags[k] = v
		}
	}
	return tags
}
