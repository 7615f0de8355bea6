package signature

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"mooring.dev/sources"
)

const (
	keyringStart = "-----BEGIN PGP "
	keyringBlock = keyringStart + "PUBLIC KEY BLOCK-----"
)

// readKeyring reads the armored blocks of a file, as gpg --armor --export
// writes them.
func (s *signers) readKeyring(name, text string) error {
	parts := strings.Split(text, keyringStart)
	for _, part := range parts[1:] {
		block := keyringStart + part
		if !strings.HasPrefix(block, keyringBlock) {
			first, _, _ := strings.Cut(block, "\n")
			return fmt.Errorf("%s: holds %q; want public keys alone, as gpg --armor --export writes them", name, strings.TrimSpace(first))
		}
		keys, err := openpgp.ReadArmoredKeyRing(strings.NewReader(block))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.pgp = append(s.pgp, keys...)
	}
	if len(s.pgp) == 0 {
		return fmt.Errorf("%s: no key; want %s, as gpg --armor --export writes it", name, keyringBlock)
	}
	return nil
}

// checkPGP finds what an OpenPGP signature comes to. Keys that have run out or
// were revoked prove nothing, whenever the commit says it was made.
func (s *signers) checkPGP(c sources.Commit, armored string, now time.Time) sources.Signature {
	out := sources.Signature{Kind: "pgp"}
	id, err := issuer(armored)
	if err != nil {
		return refuse(out, "its signature cannot be read: %v", err)
	}
	out.KeyID = id
	block, err := armor.Decode(strings.NewReader(armored))
	if err != nil {
		return refuse(out, "its signature cannot be read: %v", err)
	}
	config := &packet.Config{Time: func() time.Time { return now }, DefaultHash: crypto.SHA256}
	sig, by, err := openpgp.VerifyDetachedSignature(s.pgp, strings.NewReader(c.Proof.Payload), block.Body, config)
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		out.Status, out.Why = unknown, "the key is not in the keyring"
		return out
	case by != nil:
		out.KeyID, out.Signer = fingerprint(by), holder(by)
	}
	switch {
	case err != nil:
		return refuse(out, "its signature is not good: %v", err)
	case by == nil || sig == nil:
		return refuse(out, "nobody made its signature")
	case sig.SigType != packet.SigTypeBinary:
		return refuse(out, "its signature is of a text, not of a commit")
	}
	out.Status = valid
	return out
}

// issuer is the id of the key a signature says made it. There must be one
// signature in it and nothing else.
func issuer(armored string) (string, error) {
	block, err := armor.Decode(strings.NewReader(armored))
	if err != nil {
		return "", err
	}
	if block.Type != openpgp.SignatureType {
		return "", fmt.Errorf("%q is no signature", block.Type)
	}
	packets := packet.NewReader(block.Body)
	first, err := packets.Next()
	if err != nil {
		return "", err
	}
	sig, ok := first.(*packet.Signature)
	if !ok || sig.IssuerKeyId == nil {
		return "", errors.New("it does not say whose it is")
	}
	if _, err := packets.Next(); !errors.Is(err, io.EOF) {
		return "", errors.New("more follows it")
	}
	if len(sig.IssuerFingerprint) > 0 {
		return fmt.Sprintf("%X", sig.IssuerFingerprint), nil
	}
	return fmt.Sprintf("%016X", *sig.IssuerKeyId), nil
}

func fingerprint(e *openpgp.Entity) string { return fmt.Sprintf("%X", e.PrimaryKey.Fingerprint) }

// holder is the name of a key's first identity.
func holder(e *openpgp.Entity) string {
	if id := e.PrimaryIdentity(); id != nil {
		return id.Name
	}
	return ""
}
