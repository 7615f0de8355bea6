package aws

import (
	"maps"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
)

// sweeping tells whether a look is a survey's.
func (p *Provider) sweeping(cl *clients) bool { return cl.gate == p.sweep.gate }

// tags are those of the thing with an ARN. A look whose turn it is takes them
// from the listing of what is owned when that shows what was last asked for:
// the listing costs a call for a hundred things, and what it shows changed is
// asked for at once. Everybody else asks.
func (p *Provider) tags(cl *clients, arn string, ask func() (map[string]string, error)) (map[string]string, error) {
	if cl.listed {
		if tags, ok := p.tagsListed(arn); ok {
			return tags, nil
		}
	}
	tags, err := ask()
	if err != nil {
		return nil, err
	}
	if tags == nil {
		tags = map[string]string{}
	}
	remember(&p.memory, p.memory.tags, arn, tags)
	return tags, nil
}

// tagsListed are an owned thing's tags where the listing and the last answer
// agree. Of what is not in the listing it says nothing.
func (p *Provider) tagsListed(arn string) (map[string]string, bool) {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	listed, ok := p.memory.owned.byARN[arn]
	if !ok || !maps.Equal(listed, p.memory.tags[arn]) {
		return nil, false
	}
	return listed, true
}

// retag notes whose tags are otherwise in a new listing, or not in it any
// more: unless that is what was last asked for, they are due.
func (s *sweep) retag(before, now map[string]map[string]string) {
	s.p.memory.mu.Lock()
	defer s.p.memory.mu.Unlock()
	s.retagged = map[string]bool{}
	for arn, tags := range before {
		if _, still := now[arn]; !still {
			s.retagged[arn] = true
		} else if !maps.Equal(tags, now[arn]) && !maps.Equal(now[arn], s.p.memory.tags[arn]) {
			s.retagged[arn] = true
		}
	}
}

// pairs makes a map of a list of tags.
func pairs[T any](list []T, of func(T) (key, value *string)) map[string]string {
	out := make(map[string]string, len(list))
	for _, t := range list {
		key, value := of(t)
		out[awssdk.ToString(key)] = awssdk.ToString(value)
	}
	return out
}
