package record

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"mooring.dev/sources/manifest"
)

// Adoption is the offer to people to declare what was changed by hand. The
// newest of an environment stands.
type Adoption struct {
	Branch string         `json:"branch"`           // it is offered from
	Commit string         `json:"commit,omitempty"` // of it, once pushed
	Onto   string         `json:"onto,omitempty"`   // the environment's commit it is built on
	Items  []AdoptionItem `json:"items,omitempty"`
	// Outcome is offered | refused (closed, or its branch deleted, and not merged)
	// | over (there is nothing left to adopt).
	Outcome string    `json:"outcome"`
	Number  int       `json:"number,omitempty"` // of the pull request, once known
	URL     string    `json:"url,omitempty"`
	At      time.Time `json:"at"`
}

// The outcomes of an Adoption.
const (
	AdoptionOffered = "offered"
	AdoptionRefused = "refused"
	AdoptionOver    = "over"
)

// AdoptionItem is a difference that an offer would declare.
type AdoptionItem struct {
	Ref   manifest.Ref `json:"resource"`
	Path  string       `json:"path,omitempty"`
	Print string       `json:"print"` // of the difference and the value that lives
}

// Refusal is people's word that a difference is not to be declared.
type Refusal struct {
	Number int       `json:"number,omitempty"` // of the pull request that was closed
	URL    string    `json:"url,omitempty"`
	Branch string    `json:"branch"`
	At     time.Time `json:"at"`
}

// Print names a difference together with what lives: the same one made anew with
// another value has another.
func (d DriftItem) Print() string {
	sum := sha256.Sum256([]byte(d.ID + "|" + d.Live))
	return hex.EncodeToString(sum[:8])
}
