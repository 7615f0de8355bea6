package sandbox

import (
	"strings"
	"sync"

	"mooring.dev/providers/aws/sandbox/wire"
)

// identities tells actors apart by access key.
type identities struct {
	home string // the account of keys that name none

	mu    sync.Mutex
	byKey map[string]wire.Actor
}

func newIdentities(account string) *identities {
	return &identities{home: account, byKey: map[string]wire.Actor{}}
}

func (i *identities) register(accessKey string, a wire.Actor) {
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

// of is who holds an access key. A key of twelve digits is a user of that
// account; any other unknown key is a user named after it.
func (i *identities) of(accessKey string) wire.Actor {
	i.mu.Lock()
	defer i.mu.Unlock()
	if a, ok := i.byKey[accessKey]; ok {
		return a
	}
	account, name := i.home, strings.ToLower(accessKey)
	if isAccount(accessKey) {
		account = accessKey
	}
	if name == "" {
		name = "anonymous"
	}
	a := wire.Actor{AccessKey: accessKey, Type: "IAMUser", Name: "user/" + name}
	a.ARN = arnOf(account, a)
	return a
}

func (i *identities) all() []wire.Actor {
	i.mu.Lock()
	defer i.mu.Unlock()
	out := make([]wire.Actor, 0, len(i.byKey))
	for _, a := range i.byKey {
		out = append(out, a)
	}
	return out
}

// accountOf is the account an actor's ARN names.
func (i *identities) accountOf(a wire.Actor) string {
	if parts := strings.SplitN(a.ARN, ":", 6); len(parts) == 6 && isAccount(parts[4]) {
		return parts[4]
	}
	return i.home
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
