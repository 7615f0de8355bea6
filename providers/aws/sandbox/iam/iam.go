// Package iam is the sandbox's Identity and Access Management and its Security
// Token Service: one account's roles and policies, and sessions of them. Trust
// policies are honoured when a role is assumed. It refuses to be a gate: what
// a role allows is answered when asked (Allows), and stops no call.
package iam

import (
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Options are the service's account and time.
type Options struct {
	Now     func() time.Time
	Account string
}

// Service is one account's roles and policies.
type Service struct {
	*wire.Model
	options Options

	mu       sync.Mutex
	roles    map[string]*role
	policies map[string]*policy     // customer managed, by ARN
	read     map[string][]statement // policies as they were read, by their text

	created time.Time // the account
}

const namespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// New makes an account without roles.
func New(o Options) *Service {
	s := &Service{options: o, roles: map[string]*role{}, policies: map[string]*policy{}, created: o.Now()}
	s.Model = &wire.Model{Signing: "iam", Namespace: namespace, Operations: map[string]wire.Operation{}}
	for _, group := range []map[string]wire.Operation{s.roleOperations(), s.grantOperations(), s.policyOperations(), s.userOperations()} {
		for name, op := range group {
			s.Operations[name] = op
		}
	}
	return s
}

// Tag is a tag as IAM writes it.
type Tag struct{ Key, Value string }

// tagged is a list of tags in the order they were first given.
type tagged []Tag

func (t *tagged) add(tags []Tag) {
	for _, tag := range tags {
		i := slices.IndexFunc(*t, func(x Tag) bool { return x.Key == tag.Key })
		if i >= 0 {
			(*t)[i] = tag
			continue
		}
		*t = append(*t, tag)
	}
}

func (t *tagged) remove(keys []string) {
	*t = slices.DeleteFunc(*t, func(x Tag) bool { return slices.Contains(keys, x.Key) })
}

// list is a copy, so that answers do not change under their reader.
func (t tagged) list() []Tag { return append([]Tag{}, t...) }

func fail(status int, code, message string) *wire.Error {
	return &wire.Error{Status: status, Code: code, Message: message}
}

func noEntity(what, name string) *wire.Error {
	return fail(404, "NoSuchEntity", "The "+what+" with name "+name+" cannot be found.")
}

// newID is a unique identifier with IAM's prefix for its kind.
func newID(prefix string) string {
	return prefix + rand.Text()[:17]
}

// encoded is a policy document as IAM answers it: percent-encoded.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// paging are the members every IAM list takes and gives.
type paging struct {
	Marker   string
	MaxItems *int
}

type paged struct {
	IsTruncated bool
	Marker      string
}

// page cuts a list of names after the marker.
func (p paging) page(names []string) ([]string, paged, error) {
	limit := 100
	if p.MaxItems != nil {
		limit = *p.MaxItems
	}
	if limit < 1 || limit > 1000 {
		return nil, paged{}, fail(400, "ValidationError", "MaxItems must be between 1 and 1000")
	}
	slices.Sort(names)
	start, _ := slices.BinarySearch(names, p.Marker)
	if start < len(names) && names[start] == p.Marker {
		start++
	}
	if p.Marker == "" {
		start = 0
	}
	rest := names[start:]
	if len(rest) <= limit {
		return rest, paged{}, nil
	}
	return rest[:limit], paged{IsTruncated: true, Marker: rest[limit-1]}, nil
}
