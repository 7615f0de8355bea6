// Package actor tells who calls by the access key they sign with. It believes
// every key, and refuses to verify a signature.
package actor

import (
	"slices"
	"strings"
	"sync"

	"mooring.dev/providers/aws/sandbox/wire"
)

// Registry holds the actors of access keys.
type Registry struct {
	home string // the account of keys that name none

	mu    sync.Mutex
	byKey map[string]wire.Actor
}

// New makes a registry; keys that name no account belong to the one given.
func New(account string) *Registry {
	return &Registry{home: account, byKey: map[string]wire.Actor{}}
}

// Register gives an access key to an actor. An empty ARN is made of its type
// and name, in the registry's own account.
func (i *Registry) Register(accessKey string, a wire.Actor) {
	a.AccessKey = accessKey
	if a.Type == "" {
		a.Type = "IAMUser"
	}
	if a.ARN == "" {
		a.ARN = arnOf(i.home, a)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.byKey[accessKey] = a
}

func arnOf(account string, a wire.Actor) string {
	if a.Type == "AssumedRole" {
		return "arn:aws:sts::" + account + ":" + a.Name
	}
	return "arn:aws:iam::" + account + ":" + a.Name
}

// Of is who holds an access key. A key of twelve digits is a user of that
// account; any other unknown key is a user named after it.
func (i *Registry) Of(accessKey string) wire.Actor {
	i.mu.Lock()
	defer i.mu.Unlock()
	if a, ok := i.byKey[accessKey]; ok {
		return a
	}
	account, name := i.home, strings.ToLower(accessKey)
	if IsAccount(accessKey) {
		account = accessKey
	}
	if name == "" {
		name = "anonymous"
	}
	a := wire.Actor{AccessKey: accessKey, Type: "IAMUser", Name: "user/" + name}
	a.ARN = arnOf(account, a)
	return a
}

// All are the actors registered, by access key.
func (i *Registry) All() []wire.Actor {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make([]wire.Actor, 0, len(i.byKey))
	for _, a := range i.byKey {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b wire.Actor) int { return strings.Compare(a.AccessKey, b.AccessKey) })
	return out
}

// AccountOf is the account an actor's ARN names.
func (i *Registry) AccountOf(a wire.Actor) string {
	if parts := strings.SplitN(a.ARN, ":", 6); len(parts) == 6 && IsAccount(parts[4]) {
		return parts[4]
	}
	return i.home
}

// IsAccount is true for an account's twelve digits.
func IsAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
