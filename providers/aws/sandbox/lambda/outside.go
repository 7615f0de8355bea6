package lambda

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"sync"
)

// Outside is what befalls functions without a call of Lambda: in the registry,
// in KMS, to the runtimes, and in AWS's own capacity. The zero Outside is a quiet one, and may be used
// from any goroutine; do not copy it.
type Outside struct {
	mu       sync.RWMutex
	pushed   map[string]string // digest by the image's URI with its tag
	builds   map[string]string // of a runtime
	disabled map[string]bool   // by a key's ARN
	scarce   map[string]Scarce // by a function's name
}

// Scarce is what becomes of concurrency that AWS has no room to keep ready. The
// zero Scarce is that there is room.
type Scarce struct {
	Waits bool   // it stays in progress
	Fails string // it fails, for this reason
}

// Room says of a function what becomes of the provisioned concurrency that is
// asked for from now on, and of what was asked for while there was no room.
func (o *Outside) Room(function string, s Scarce) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scarce = with(o.scarce, function, s)
}

func (o *Outside) room(function string) Scarce {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.scarce[function]
}

// Push lets a tag name another image: digest is hex, without "sha256:". What
// was deployed by the tag before stays what it was.
func (o *Outside) Push(uri, digest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pushed = with(o.pushed, uri, digest)
}

// Build moves every function of a runtime to another build of it.
func (o *Outside) Build(runtime, build string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.builds = with(o.builds, runtime, build)
}

// Disable takes a KMS key away, or gives it back: meanwhile the variables that
// it encrypts cannot be read.
func (o *Outside) Disable(key string, disabled bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.disabled = with(o.disabled, key, disabled)
}

// with is a copy of m with one more entry.
func with[V any](m map[string]V, key string, value V) map[string]V {
	out := map[string]V{}
	maps.Copy(out, m)
	out[key] = value
	return out
}

// image is the digest a tagged URI names. Of a tag that was never pushed it is
// made from the URI, the same each time.
func (o *Outside) image(uri string) string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if digest, ok := o.pushed[uri]; ok {
		return digest
	}
	sum := sha256.Sum256([]byte(uri))
	return hex.EncodeToString(sum[:])
}

// runtimeARN names the build of a runtime.
func (o *Outside) runtimeARN(region, runtime string) string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	sum := sha256.Sum256([]byte(runtime + o.builds[runtime]))
	return fmt.Sprintf("arn:aws:lambda:%s::runtime:%x", region, sum)
}

// variables are a function's as a reader gets them.
func (o *Outside) variables(in *environment, key string) *shownEnvironment {
	if in == nil {
		return nil
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if key == "" || !o.disabled[key] {
		return &shownEnvironment{Variables: in.Variables}
	}
	return &shownEnvironment{Error: &environmentError{ErrorCode: "KMSDisabledException", Message: "Lambda was unable to decrypt your environment variables because the KMS key used is disabled. Please check your KMS key settings."}}
}

type shownEnvironment struct {
	Variables map[string]string `json:",omitempty"`
	Error     *environmentError `json:",omitempty"`
}

type environmentError struct{ ErrorCode, Message string }

// imageRef names an image by its digest.
func (o *Outside) imageRef(in codeInput) (codeRef, error) {
	if in.ImageURI == "" {
		return codeRef{}, invalid("Please provide ImageUri when creating a function with packageType Image.")
	}
	repository, digest, found := strings.Cut(in.ImageURI, "@sha256:")
	if !found {
		digest = o.image(in.ImageURI)
		if i := strings.LastIndex(repository, ":"); i > strings.LastIndex(repository, "/") {
			repository = repository[:i]
		}
	}
	return codeRef{SHA256: digest, Image: in.ImageURI, Resolved: repository + "@sha256:" + digest}, nil
}
