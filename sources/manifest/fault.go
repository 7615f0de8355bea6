package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with the repository, where, and what to do
// about it. It never holds the content of files that are not manifests, nor
// the value of an environment variable.
type Fault struct {
	Position Position `json:"position"`
	Path     string   `json:"path,omitempty"` // of the field: spec.timeout
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
}

// Error is "file:line:column: path: message (hint)".
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Position.String())
	if f.Path != "" {
		b.WriteString(": " + f.Path)
	}
	b.WriteString(": " + f.Message)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Faults is everything found wrong at once, sorted by place. As an error it
// is one line a fault.
type Faults []Fault

// maxPrinted bounds an error's text; the list itself is whole.
const maxPrinted = 100

func (f Faults) Error() string {
	lines := make([]string, 0, min(len(f), maxPrinted)+1)
	for i, fault := range f {
		if i == maxPrinted {
			lines = append(lines, fmt.Sprintf("and %d more", len(f)-i))
			break
		}
		lines = append(lines, fault.Error())
	}
	return strings.Join(lines, "\n")
}

// sorted returns the faults in the order of their places, each once, as an
// error; nil if there are none.
func (f Faults) sorted() error {
	if len(f) == 0 {
		return nil
	}
	out := slices.Clone(f)
	slices.SortStableFunc(out, compareFaults)
	return Faults(slices.Compact(out))
}

func compareFaults(a, b Fault) int {
	return cmp.Or(
		strings.Compare(a.Position.File, b.Position.File),
		cmp.Compare(a.Position.Line, b.Position.Line),
		cmp.Compare(a.Position.Column, b.Position.Column),
		strings.Compare(a.Path, b.Path),
		strings.Compare(a.Message, b.Message),
		strings.Compare(a.Hint, b.Hint),
	)
}
