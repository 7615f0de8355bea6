package git

import (
	"bytes"
	"errors"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"

	"mooring.dev/sources/reread"
)

// signatureNamespace is what git signs for, so that a signature made for
// something else is none of a commit.
const signatureNamespace = "git"

// signingKey is the key of merge commits; nil: they are not signed. It is read
// once, so that a wrong one is told at the start.
func (o *Options) signingKey() (*reread.File[ssh.Signer], error) {
	if o.SigningKeyFile == "" {
		return nil, nil
	}
	key := reread.Open(o.Files, reread.Spec[ssh.Signer]{What: "signing key", Path: o.SigningKeyFile, Parse: parseSigningKey})
	_, err := key.Get()
	return key, err
}

// sign is how merge commits are signed; nil: they are not.
func (r *Repository) sign() func([]byte) (string, error) {
	if r.signing == nil {
		return nil
	}
	return func(payload []byte) (string, error) {
		key, err := r.signing.Get()
		if err != nil {
			return "", err
		}
		signed, err := sshsig.Sign(bytes.NewReader(payload), key, sshsig.HashSHA512, signatureNamespace)
		if err != nil {
			return "", err
		}
		return string(sshsig.Armor(signed)), nil
	}
}

// parseSigningKey says nothing of what is in the file.
func parseSigningKey(text []byte) (ssh.Signer, error) {
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, errors.New("it holds no private SSH key without passphrase; want one as ssh-keygen -t ed25519 -N '' writes it")
	}
	return key, nil
}
