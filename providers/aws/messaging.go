package aws

import (
	"time"

	"mooring.dev/sources/manifest"
)

// messaging is what is remembered of topics, rules and schedules; the memory's
// lock guards it.
type messaging struct {
	subscriptions map[manifest.Ref]string  // ARNs
	former        map[manifest.Ref]string  // ARNs of subscriptions that were seen to be gone
	listings      map[string]topicListing  // of subscriptions, by the topic's physical name
	rules         map[string]*ruleLook     // by name; nil for one that is not there
	schedules     map[string]*scheduleLook // by group/name
	scheduled     time.Time                // of the last bulk listing of schedules
}

func (m *messaging) init() {
	m.subscriptions = map[manifest.Ref]string{}
	m.former = map[manifest.Ref]string{}
	m.listings = map[string]topicListing{}
	m.rules = map[string]*ruleLook{}
	m.schedules = map[string]*scheduleLook{}
}
