// Package manifest reads the environment repository: it parses, defaults and
// validates manifests with the place of every fault, applies an environment's
// overlay, expands what is declared into resources, and gives them a normal
// form and digests. It is pure: the same files give the same bytes.
//
// It refuses to know any provider, to fetch anything, to read a clock, and to
// read what a hostile repository may hold: links, odd names, huge files,
// alias bombs, deep nesting, bytes that are no text.
package manifest

// APIVersion is the version of the manifests this package reads.
const APIVersion = "mooring.dev/v1"

// PipelineFile is where the control branch holds its Pipeline.
const PipelineFile = "mooring.yaml"

// ContractFile is where an artifact may carry the contract of its code.
const ContractFile = "mooring.contract.yaml"

// Limits on what is read. They are refused with the path named.
const (
	MaxFileSize  = 1 << 20 // bytes of one manifest file
	MaxManifests = 20_000  // documents of one tree
	MaxNesting   = 64      // of a document, and of folders
	maxEntries   = 500_000 // files and folders walked
	maxTree      = 1 << 28 // bytes of all candidate files together
	maxAliased   = 10_000  // nodes a file's aliases may stand for
	maxFilledOne = 1 << 20 // bytes, about, that values and patches add to one manifest
	maxFilled    = 1 << 27 // and to all manifests of an environment together
)
