// Package signature finds what signatures of commits come to: SSH signatures by
// a file of allowed signers as ssh-keygen knows it, OpenPGP signatures by an
// armored keyring. It reads both from the control branch's tree, runs no
// program and asks no server. It refuses certificates, and keys that are too
// weak to prove anything.
package signature

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"

	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// Bounds in bytes.
const (
	maxFile      = 1 << 20
	maxSignature = 64 << 10
)

// What a signature comes to, as policy is told it.
const (
	valid   = "valid"
	invalid = "invalid"
	unknown = "unknown_key"
)

// signers are the keys of one revision of the control branch.
type signers struct {
	id  string
	ssh []allowed           // nil: no SSH signature is checked
	pgp openpgp.EntityList  // nil: no OpenPGP signature is checked
	has manifest.Signatures // which of them are configured
}

// New reads the keys that a pipeline names. Without any it is nil: nothing is
// checked then. All faults are told at once.
func New(tree fs.FS, spec manifest.Signatures) (sources.Signers, error) {
	if spec == (manifest.Signatures{}) {
		return nil, nil
	}
	s := &signers{has: spec}
	sum := sha256.New()
	var faults []error
	for _, file := range []struct {
		name string
		read func(name, text string) error
	}{{spec.AllowedSigners, s.readAllowed}, {spec.Keyring, s.readKeyring}} {
		if file.name == "" {
			continue
		}
		text, err := read(tree, file.name)
		if err == nil {
			_, _ = fmt.Fprintf(sum, "%d %s\n%d ", len(file.name), file.name, len(text)) // a hash takes everything
			_, _ = io.WriteString(sum, text)
			err = file.read(file.name, text)
		}
		faults = append(faults, err)
	}
	s.id = hex.EncodeToString(sum.Sum(nil)[:8])
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return s, nil
}

func read(tree fs.FS, name string) (string, error) {
	f, err := tree.Open(name)
	if err != nil {
		return "", fmt.Errorf("signatures: read %s of the control branch: %w", name, err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("signatures: read %s of the control branch: %w", name, err)
	case len(text) > maxFile:
		return "", fmt.Errorf("signatures: %s is over %d KiB: that is no list of keys", name, maxFile>>10)
	}
	return string(text), nil
}

// ID implements sources.Signers.
func (s *signers) ID() string { return s.id }

// Check implements sources.Signers. A kind of signature whose keys are not
// configured stays unchecked.
func (s *signers) Check(c sources.Commit, now time.Time) sources.Signature {
	out := c.Signature
	armored := strings.TrimSpace(c.Proof.Armored)
	switch {
	case armored == "":
		return sources.Signature{}
	case out.Kind == "ssh" && s.has.AllowedSigners == "", out.Kind == "pgp" && s.has.Keyring == "":
		return out
	case len(armored) > maxSignature:
		return refuse(out, "its signature is over %d KiB", maxSignature>>10)
	case !strings.HasPrefix(armored, "-----BEGIN ") || strings.Count(armored, "-----BEGIN ") != 1:
		return refuse(out, "it does not have one signature")
	case c.Proof.Payload == "":
		return refuse(out, "its signature stands where it changes what the commit is")
	}
	switch out.Kind {
	case "ssh":
		return s.checkSSH(c, armored, now)
	case "pgp":
		return s.checkPGP(c, armored, now)
	}
	return refuse(out, "its signature is neither of SSH nor of OpenPGP")
}

func refuse(s sources.Signature, format string, args ...any) sources.Signature {
	s.Status, s.Why = invalid, fmt.Sprintf(format, args...)
	return s
}
