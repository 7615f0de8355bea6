package providers

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"mooring.dev/sources/manifest"
)

// Kind is what an error means for what to do next. The zero Kind is
// Transient: the unknown is tried again.
type Kind int

const (
	Transient Kind = iota // try again later
	Conflict              // the guard did not hold: look and plan again
	Throttled             // too many calls: slow down
	Invalid               // will never succeed with this input
	Denied                // not allowed
)

// String is the kind's name in messages and metrics.
func (k Kind) String() string {
	switch k {
	case Conflict:
		return "conflict"
	case Throttled:
		return "throttled"
	case Invalid:
		return "invalid"
	case Denied:
		return "denied"
	default:
		return "transient"
	}
}

// Permanent kinds are not tried again until their input changes.
func (k Kind) Permanent() bool { return k == Invalid || k == Denied }

// Error is a classified failure, made at the provider's boundary.
type Error struct {
	Kind Kind
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ErrNoCredentials: nobody could be asked, for want of credentials. It is
// transient: what hands them out may come back.
var ErrNoCredentials = errors.New("there are no credentials")

// Errorf makes a classified error.
func Errorf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Err: fmt.Errorf(format, args...)}
}

// KindOf classifies an error; what was never classified is Transient.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Transient
}

// ObserveError holds the questions that failed, by resource.
type ObserveError struct{ Refs map[manifest.Ref]error }

func (e *ObserveError) Error() string {
	lines := make([]string, 0, len(e.Refs))
	for ref, err := range e.Refs {
		lines = append(lines, fmt.Sprintf("observe %s: %v", ref, err))
	}
	sort.Strings(lines)
	return strings.Join(lines, "; ")
}

// Unwrap gives every cause to errors.Is and errors.As.
func (e *ObserveError) Unwrap() []error {
	errs := make([]error, 0, len(e.Refs))
	for _, err := range e.Refs {
		errs = append(errs, err)
	}
	return errs
}
