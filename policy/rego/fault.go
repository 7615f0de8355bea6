package rego

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// Fault is one thing wrong with the policies.
type Fault struct {
	File string // as in the tree; "" when no file is to blame
	Line int    // from 1; 0 when the file as a whole is to blame
	Col  int
	// Code is the kind of fault: read_error, limit, data_error, package_name,
	// rule_name, rule_shape, plain_not, schema_override, annotation, reference,
	// test_failed, test_error, or OPA's own (rego_parse_error,
	// rego_type_error, rego_compile_error, …).
	Code string
	Msg  string
}

func (f Fault) String() string {
	switch {
	case f.File == "":
		return f.Msg
	case f.Line == 0:
		return f.File + ": " + f.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Msg)
}

// LoadError holds everything found wrong at once, in the order of the files.
type LoadError struct{ Faults []Fault }

func (e *LoadError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return "load policies: " + strings.Join(lines, "\n")
}

// faults collects.
type faults []Fault

func (fs *faults) at(loc *ast.Location, code, format string, args ...any) {
	f := Fault{Code: code, Msg: fmt.Sprintf(format, args...)}
	if loc != nil {
		f.File, f.Line, f.Col = loc.File, loc.Row, max(1, loc.Col)
	}
	*fs = append(*fs, f)
}

func (fs *faults) file(name, code, format string, args ...any) {
	*fs = append(*fs, Fault{File: name, Code: code, Msg: fmt.Sprintf(format, args...)})
}

// opa takes over what OPA reports, whatever it is wrapped in.
func (fs *faults) opa(file string, err error) {
	var many ast.Errors
	var one *ast.Error
	switch {
	case err == nil:
	case errors.As(err, &many):
		for _, e := range many {
			fs.one(e)
		}
	case errors.As(err, &one):
		fs.one(one)
	default:
		fs.file(file, "read_error", "%v", err)
	}
}

func (fs *faults) one(e *ast.Error) {
	fs.at(e.Location, e.Code, "%s", explain(e))
}

// explain adds what an author needs to put it right.
func explain(e *ast.Error) string {
	if d, ok := e.Details.(*ast.RefErrInvalidDetail); ok && len(d.OneOf) > 0 {
		names := make([]string, len(d.OneOf))
		for i, v := range d.OneOf {
			names[i] = strings.Trim(v.String(), `"`)
		}
		slices.Sort(names)
		at := min(d.Pos, len(d.Ref)-1)
		have := strings.Trim(d.Ref[at].String(), `"`)
		return fmt.Sprintf("%s: %s has no %q; it has %s%s", d.Ref, d.Ref[:at], have, strings.Join(names, ", "), meant(have, names))
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok && refusedOrUnsafe(name) {
		return e.Message + ": policies are not offered it"
	}
	if d, ok := e.Details.(*ast.UnificationErrDetail); ok {
		return fmt.Sprintf("%s: %.200s is never %.200s", e.Message, types.Sprint(d.Left), types.Sprint(d.Right))
	}
	return e.Message
}

func refusedOrUnsafe(name string) bool {
	b, known := ast.BuiltinMap[name]
	return known && (b.IsNondeterministic() || refused(name))
}

// meant suggests the nearest of names.
func meant(have string, names []string) string {
	best, least := "", 3
	for _, n := range names {
		if d := distance(have, n); d < least {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// err is nil when nothing was found.
func (fs faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), strings.Compare(a.Msg, b.Msg))
	})
	return &LoadError{Faults: slices.Compact(fs)}
}
