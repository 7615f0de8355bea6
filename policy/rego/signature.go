package rego

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/keys"
)

// verify holds the files against the signatures among them.
func verify(files map[string][]byte, key string) error {
	text, there := files[signaturesFile]
	if !there {
		return refuse("it is not signed, and spec.policies.publicKey asks for that")
	}
	var signatures bundle.SignaturesConfig
	if err := json.Unmarshal(text, &signatures); err != nil {
		return refuse("%s: %v", signaturesFile, err)
	}
	algorithm, err := algorithmOf(key)
	if err != nil {
		return err
	}
	const id = "policies"
	known := bundle.NewVerificationConfig(map[string]*keys.Config{id: {Key: key, Algorithm: algorithm}}, id, "", nil)
	signed, err := bundle.VerifyBundleSignature(signatures, known)
	if err != nil {
		return refuse("its signature: %v", err)
	}
	for _, name := range sortedKeys(files) {
		if name == signaturesFile {
			continue
		}
		if err := bundle.VerifyBundleFile(name, *bytes.NewBuffer(files[name]), signed); err != nil {
			return refuse("%s is not what was signed: %v", name, err)
		}
	}
	if len(signed) > 0 {
		return refuse("%s was signed, and is not there", sortedKeys(signed)[0])
	}
	return nil
}

// algorithmOf is how a key signs. The key says, and not the signature: else a
// signature could choose one that is none.
func algorithmOf(key string) (string, error) {
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return "", refuse("spec.policies.publicKey is no PEM")
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "", refuse("spec.policies.publicKey: %v", err)
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "ES256", nil
		case elliptic.P384():
			return "ES384", nil
		case elliptic.P521():
			return "ES512", nil
		}
	}
	return "", refuse("spec.policies.publicKey: want an RSA key, or an ECDSA key on P-256, P-384 or P-521")
}
