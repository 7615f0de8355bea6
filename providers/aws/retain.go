package aws

import (
	"mooring.dev/providers"
)

// tagDeletion says, on the thing itself, that it may be deleted when its
// manifest goes: the manifest is gone by then.
const tagDeletion = "mooring:deletion"

const (
	retain       = "Retain"
	deleteIt     = "Delete"
	pathDeletion = "deletionPolicy"
)

// deletionOf is the policy a thing's tags carry; without the tag it stays.
func deletionOf(tags map[string]string) string {
	if tags[tagDeletion] == deleteIt {
		return deleteIt
	}
	return retain
}

// withDeletion adds the deletion policy to a new thing's tags.
func withDeletion(tags map[string]string, policy string) map[string]string {
	if policy == deleteIt {
		tags[tagDeletion] = deleteIt
	}
	return tags
}

// planDeletion adds a change of the deletion policy to a plan of tags.
func (t *tagPlan) planDeletion(c providers.Change, declared string, live map[string]string) {
	if !allowedBy(c.Fields)(pathDeletion) || orElse(declared, retain) == deletionOf(live) {
		return
	}
	if declared == deleteIt {
		t.add[tagDeletion] = deleteIt
		return
	}
	t.remove = append(t.remove, tagDeletion)
}

// refuseBound is of what is somebody else's by its manifest's own word.
func refuseBound(kind providers.Kind) error {
	return providers.Errorf(kind, "it is somebody else's (manage: false): it is checked, never made, changed or deleted")
}

// mayDeleteKept refuses to delete what holds data, unless it says that it may
// be.
func (p *Provider) mayDeleteKept(tags map[string]string) error {
	if err := p.mayDelete(ownerOf(tags)); err != nil {
		return err
	}
	if deletionOf(tags) != deleteIt {
		return providers.Errorf(providers.Denied, "holds data, and was never declared with deletionPolicy: Delete: it stays")
	}
	return nil
}
