// Package trace keeps what the daemon does for one piece of work as spans: which
// part of it belongs to which, when it began and ended, and what it came to.
// It knows no protocol: a finished Work goes to a Sink. It refuses to keep
// anything that may hold a secret: spans have names, kinds and counts, and no
// text of an error.
package trace

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Place is one span of one trace. The zero Place is none.
type Place struct {
	Trace [16]byte
	Span  [8]byte
}

// Of is where a commit was first seen on its way into an environment: the root
// of all that is done about it there. It is the same after a restart, and for
// whoever knows the two names.
func Of(environment, commit string) Place { return named("commit", environment, commit) }

// Episode is a trace about something that is no commit on its way, known by its
// name. It has no root: what is found of it stands side by side.
func Episode(environment, name string) Place {
	return Place{Trace: named("episode", environment, name).Trace}
}

func named(parts ...string) Place {
	var p Place
	sum := sha256.Sum256([]byte("mooring\x00" + strings.Join(parts, "\x00")))
	copy(p.Trace[:], sum[:16])
	copy(p.Span[:], sum[16:24])
	return p
}

// IsZero: the place is none.
func (p Place) IsZero() bool { return p == Place{} }

// TraceID is the trace as people and tools write it, 32 digits.
func (p Place) TraceID() string { return hex.EncodeToString(p.Trace[:]) }

// SpanID is the span as people and tools write it, 16 digits.
func (p Place) SpanID() string { return hex.EncodeToString(p.Span[:]) }

// String is the place as a traceparent header has it; "" for none.
func (p Place) String() string {
	if p.IsZero() {
		return ""
	}
	return "00-" + p.TraceID() + "-" + p.SpanID() + "-01"
}

// Parse reads a traceparent header. What is none, or names no span, is not ok.
func Parse(text string) (p Place, ok bool) {
	parts := strings.Split(text, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || parts[0] == "ff" || parts[0] == "00" && len(parts) != 4 {
		return Place{}, false
	}
	if len(parts[1]) != 32 || len(parts[2]) != 16 || strings.ToLower(text) != text {
		return Place{}, false
	}
	n, err := hex.Decode(p.Trace[:], []byte(parts[1]))
	m, failed := hex.Decode(p.Span[:], []byte(parts[2]))
	if err != nil || failed != nil || n != 16 || m != 8 || p.Trace == [16]byte{} || p.Span == [8]byte{} {
		return Place{}, false
	}
	return p, true
}

// fresh is a span nobody else has.
func fresh() (id [8]byte) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}
