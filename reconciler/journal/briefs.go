package journal

import "encoding/json"

// briefsBytes is how much of the lines of brief decisions a Docket keeps.
const briefsBytes = 8 << 20

// brief is a decision's record without the input.
func brief(rec Record) Record {
	var said map[string]json.RawMessage
	if json.Unmarshal(rec.Decision.Line, &said) != nil {
		return rec // who reads it says so
	}
	delete(said, "input")
	line, err := json.Marshal(said)
	if err != nil {
		return rec
	}
	short := *rec.Decision
	short.Line = line
	rec.Decision = &short
	return rec
}

// briefs are the brief decisions that were asked for, until there are too many.
type briefs struct {
	of   map[Seq]Record
	next []Seq // to be forgotten
	size int   // bytes of their lines
}

func (b *briefs) add(rec Record) {
	size := len(rec.Decision.Line)
	if _, known := b.of[rec.Seq]; known || size > briefsBytes/8 {
		return
	}
	if b.of == nil {
		b.of = map[Seq]Record{}
	}
	b.of[rec.Seq], b.next, b.size = rec, append(b.next, rec.Seq), b.size+size
	for ; b.size > briefsBytes; b.next = b.next[1:] {
		b.size -= len(b.of[b.next[0]].Decision.Line)
		delete(b.of, b.next[0])
	}
}
