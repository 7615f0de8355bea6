package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Cursor is how far somebody has read the history: the newest line of each
// environment. Environments tell their news in an order of their own, so that
// one number for all would lose what one of them tells late. The zero Cursor
// has read nothing.
type Cursor struct {
	read map[string]uint64
}

// cursorForm begins a cursor's text: what else it may become begins with
// another.
const cursorForm = "1"

// Read moves the cursor past a line of history.
func (c *Cursor) Read(e Event) {
	if c.read == nil {
		c.read = map[string]uint64{}
	}
	c.read[e.Environment] = max(c.read[e.Environment], e.place())
}

// New are the lines the cursor was not moved past, of a history that is newest
// first; the oldest comes first.
func (c Cursor) New(history []Event) []Event {
	var out []Event
	for _, e := range slices.Backward(history) {
		if e.place() > c.read[e.Environment] {
			out = append(out, e)
		}
	}
	return out
}

// String is the cursor as the id of a message; ParseCursor reads it.
func (c Cursor) String() string {
	parts := []string{cursorForm}
	for name, at := range c.read {
		parts = append(parts, name+"="+strconv.FormatUint(at, 10))
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, ";")
}

// ParseCursor reads what String wrote.
func ParseCursor(text string) (Cursor, error) {
	parts := strings.Split(text, ";")
	if parts[0] != cursorForm {
		return Cursor{}, fmt.Errorf("event id %.100q: it is none of ours", text)
	}
	c := Cursor{read: map[string]uint64{}}
	for _, part := range parts[1:] {
		name, at, _ := strings.Cut(part, "=")
		n, err := strconv.ParseUint(at, 10, 64)
		if err != nil {
			return Cursor{}, fmt.Errorf("event id %.100q: %.100q is no place in a history", text, part)
		}
		c.read[name] = n
	}
	return c, nil
}

// place orders the lines of one environment: by their records, and those of
// no environment, which name no record, by time.
func (e Event) place() uint64 {
	if e.Seq == 0 {
		return uint64(max(0, e.At.UnixNano()))
	}
	return e.Seq
}
