package git

import (
	"bytes"
	"fmt"
	"os"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// signatureNamespace is what git signs for, so that a signature made for
// something else is none of a commit.
const signatureNamespace = "git"

// sign is how merge commits are signed; nil: they are not.
func (o *Options) sign() func([]byte) (string, error) {
	if o.SigningKeyFile == "" {
		return nil
	}
	return func(payload []byte) (string, error) {
		key, err := readSigningKey(o.SigningKeyFile)
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

// checkSigning reads the key once, so that a wrong one is told at the start.
func (o *Options) checkSigning() error {
	if o.SigningKeyFile == "" {
		return nil
	}
	_, err := readSigningKey(o.SigningKeyFile)
	return err
}

// readSigningKey says nothing of what is in the file.
func readSigningKey(path string) (ssh.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w; want a private SSH key without passphrase, as ssh-keygen -t ed25519 -N '' writes it", path, err)
	}
	return key, nil
}
