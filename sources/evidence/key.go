package evidence

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Key is a public key and the name of whoever holds its other half. It is a
// verifier of DSSE signatures.
type Key struct {
	name   string
	public crypto.PublicKey
}

// ParseKey reads one public key in PEM: ed25519, or ECDSA on P-256 or P-384,
// as openssl and cosign write them.
func ParseKey(name string, text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return Key{}, errors.New("no PEM: want -----BEGIN PUBLIC KEY-----")
	case block.Type != "PUBLIC KEY":
		return Key{}, fmt.Errorf("a PEM of type %q: want a PUBLIC KEY", block.Type)
	}
	if more, _ := pem.Decode(rest); more != nil {
		return Key{}, errors.New("more than one PEM block: give each key a name of its own")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, fmt.Errorf("no public key: %w", err)
	}
	switch k := public.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return Key{}, fmt.Errorf("an ECDSA key on %s: want P-256 or P-384", k.Curve.Params().Name)
		}
	default:
		return Key{}, fmt.Errorf("a key of type %T: want ed25519 or ECDSA", public)
	}
	return Key{name: name, public: public}, nil
}

// Name is whose key it is.
func (k Key) Name() string { return k.name }

// Verify implements dsse.Verifier.
func (k Key) Verify(_ context.Context, data, sig []byte) error {
	good := false
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(public, data, sig)
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P384() {
			sum := sha512.Sum384(data)
			good = ecdsa.VerifyASN1(public, sum[:], sig)
			break
		}
		sum := sha256.Sum256(data)
		good = ecdsa.VerifyASN1(public, sum[:], sig)
	}
	if !good {
		return errors.New("no signature of this key")
	}
	return nil
}

// KeyID implements dsse.Verifier: signatures are tried whatever they say whose
// they are.
func (k Key) KeyID() (string, error) { return "", nil }

// Public implements dsse.Verifier.
func (k Key) Public() crypto.PublicKey { return k.public }
