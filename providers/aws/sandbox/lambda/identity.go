package lambda

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// newID makes a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newURLID makes the host label of a function URL.
func newURLID() string {
	var b [20]byte
	_, _ = rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// madeCredentials are the same for the same role, so that calls of one function
// show as one actor.
func madeCredentials(roleARN, _ string) Credentials {
	sum := sha256.Sum256([]byte(roleARN))
	key := base32.StdEncoding.EncodeToString(sum[:])[:16]
	return Credentials{AccessKey: "ASIA" + key, SecretKey: hex.EncodeToString(sum[:20]), SessionToken: "sandbox"}
}
