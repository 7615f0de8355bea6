package providers

import (
	"context"
	"io"

	"mooring.dev/sources/manifest"
)

// Adopter reads what lives and nobody declared yet, in the form of manifests.
type Adopter interface {
	// Adopt drafts functions, what stands on them and what they use. The
	// drafts of functions hold their variables as they are, secrets included:
	// whoever asks takes those out before anything is written or shown.
	Adopt(ctx context.Context, what Adoption) (Adopted, error)
	// Code writes the code of a function or a layer into w and returns its
	// digest, "sha256:…", which is the one the platform names.
	Code(ctx context.Context, of CodeOf, w io.Writer) (digest string, err error)
}

// CodeOf names code that the platform keeps.
type CodeOf struct {
	Kind    string // Function or Layer
	Name    string // physical
	Version string // of a function, "" is the unpublished state
}

// Adoption says what is looked for.
type Adoption struct {
	Functions []string // physical names; none means all there is, of every kind
	// Tools are those whose resources are taken too ("cloudformation", …;
	// "all"). What another tool made is listed otherwise, not drafted.
	Tools []string
}

// Adopted is what was found.
type Adopted struct {
	Drafts  []manifest.Draft
	Skipped []Skipped
}

// Skipped is something that was found and not drafted.
type Skipped struct {
	Kind   string
	Name   string // physical
	Why    string
	Tool   string // the tool it belongs to; "" for another reason
	Failed bool   // a question about it was not answered
}
