package manifest

import (
	"slices"
	"strings"
)

// Signatures say whose signatures of commits count. The zero value: none is
// checked.
type Signatures struct {
	AllowedSigners string `json:"allowedSigners,omitempty" is:"match=folder,maxlen=255" doc:"The file of this branch with the SSH keys that sign commits, in the format of ssh-keygen's allowed signers."`
	Keyring        string `json:"keyring,omitempty" is:"match=folder,maxlen=255" doc:"The file of this branch with the OpenPGP keys that sign commits, as gpg --armor --export writes it."`
}

func (s *Signatures) check(d *decoder, n *node) {
	for field, file := range map[string]string{"allowedSigners": s.AllowedSigners, "keyring": s.Keyring} {
		if slices.Contains(strings.Split(file, "/"), "..") {
			d.fault(n.get(field).pos(), "cannot be "+quote(file), "a path stays inside the repository")
		}
	}
}

// Verifies tells whether commits into this environment must be signed.
func (e Environment) Verifies() bool { return e.Verify == VerifyHead || e.Verify == VerifyRange }

// What of the commits that come into an environment must be signed.
const (
	VerifyHead  = "head"  // the one at the branch's head
	VerifyRange = "range" // every one since the last that was let in
)

// checkVerify refuses a floor that nothing could ever pass.
func (c *pipelineCheck) checkVerify(i int, e Environment) {
	if e.Verifies() && c.p.Signatures == (Signatures{}) {
		c.fault(i, "verify", "wants signed commits, and nobody may sign", "name keys: signatures: {allowedSigners: keys/allowed_signers}")
	}
}
