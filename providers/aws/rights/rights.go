// Package rights makes IAM policies of what the kinds of a provider say they
// call. It is pure: it reads no account and no repository, and it refuses to
// grant anything that no row names, and to deny anything at all.
package rights

import (
	"fmt"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// Capability is a part of what Mooring does, that may be granted by itself.
type Capability string

const (
	// Observe is looking: enough for drift, and for a daemon that only tells.
	Observe Capability = "observe"
	// Check is invoking versions before and after they take traffic, and
	// reading how they do.
	Check Capability = "check"
	// Manage is creating, changing, publishing and routing what is declared,
	// and taking settings off what stays.
	Manage Capability = "manage"
	// Detach is taking off what nobody declared.
	Detach Capability = "detach"
	// Delete is removing what is declared no more, and old versions.
	Delete Capability = "delete"
)

// All are the capabilities, in the order of a policy.
func All() []Capability { return []Capability{Observe, Check, Manage, Detach, Delete} }

// Default are those a daemon gets that keeps what is declared and destroys
// nothing.
func Default() []Capability { return []Capability{Observe, Check, Manage} }

// Parse reads a comma-separated list of capabilities.
func Parse(text string) ([]Capability, error) {
	var out []Capability
	for name := range strings.SplitSeq(text, ",") {
		c := Capability(strings.TrimSpace(name))
		if !slices.Contains(All(), c) {
			return nil, fmt.Errorf("capability %q: want some of %s", name, list(All()))
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Capability) int { return slices.Index(All(), a) - slices.Index(All(), b) })
	return slices.Compact(out), nil
}

// Without are the capabilities that are not among some.
func Without(some []Capability) []Capability {
	return slices.DeleteFunc(All(), func(c Capability) bool { return slices.Contains(some, c) })
}

func list(all []Capability) string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}

// Condition is a policy's, by operator and key.
type Condition map[string]map[string][]string

// Row is what one kind needs for one capability.
type Row struct {
	For Capability
	// Calls are operations, as the SDK names service and operation:
	// "sqs:CreateQueue".
	Calls []string
	// Also are actions that no call has the name of: iam:PassRole.
	Also []string
	// On are ARNs with holes ({partition}, {region}, {account}, {name}, and
	// {name:Kind} for the names of another kind), or "*" where AWS knows no
	// resources for the actions.
	On []string
	// Of are what a resource names and the actions are about, where that is not
	// the resource itself: literal ARNs stand for themselves, references for
	// the names in On.
	Of func(manifest.Resource) []manifest.Value
	// When says which resources need it; nil: every one.
	When func(manifest.Resource) bool
	// Where are conditions, with the holes of On.
	Where Condition
	// Bounded rows hold only for roles with the permissions boundary that the
	// manifests set.
	Bounded bool
	// Always rows are in use even where no resource of the kind is declared:
	// what was declared once is found by them.
	Always bool
	// Freed rows are granted, where some role declares a boundary, only for
	// those that declare none.
	Freed bool
	Why   string // what is not obvious of it
}

// Everything is the resource of actions that AWS knows no resources for.
const Everything = "*"
