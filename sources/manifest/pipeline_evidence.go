package manifest

import (
	"slices"
	"strings"
)

// Evidence says whose signed statements count, and where they are.
type Evidence struct {
	Path string        `json:"path" is:"match=folder,default=evidence,maxlen=255" doc:"The folder with statements, of the control branch and of every environment's: *.json, *.jsonl and *.dsse."`
	Keys []EvidenceKey `json:"keys,omitempty" is:"maxitems=50" doc:"Whose statements count."`
}

// EvidenceKey is the public half of a signing key, with its holder's name.
type EvidenceKey struct {
	Name      string `json:"name" is:"required,match=name,maxlen=64" doc:"Who signs with it: what policy is told as signer."`
	File      string `json:"file,omitempty" is:"match=folder,maxlen=255" doc:"The file of this branch that holds it."`
	PublicKey string `json:"publicKey,omitempty" is:"maxlen=16384" doc:"The key itself, PEM: ed25519, or ECDSA on P-256 or P-384, as openssl and cosign write them."`
}

func (e *Evidence) check(d *decoder, n *node) {
	if slices.Contains(strings.Split(e.Path, "/"), "..") {
		d.fault(n.get("path").pos(), "cannot be "+quote(e.Path), "a path stays inside the repository")
	}
	for i, k := range e.Keys {
		at := n.get("keys").items[i]
		if slices.ContainsFunc(e.Keys[:i], func(o EvidenceKey) bool { return o.Name == k.Name }) {
			d.fault(at.pos(), "two keys are named "+k.Name, "a name says whose key it is: ci, ci-2027")
		}
	}
}

func (k *EvidenceKey) check(d *decoder, n *node) {
	switch {
	case (k.File == "") == (k.PublicKey == ""):
		d.fault(n.pos(), "needs either file or publicKey", "")
	case slices.Contains(strings.Split(k.File, "/"), ".."):
		d.fault(n.get("file").pos(), "cannot be "+quote(k.File), "a path stays inside the repository")
	}
}
