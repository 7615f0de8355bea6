package journal

import "testing"

// What is kept of brief decisions is bounded, whatever is asked: the first that
// was kept is the first to go, and one that is very long is not kept.
func TestBriefDecisionsAreForgotten(t *testing.T) {
	var b briefs
	line := make([]byte, briefsBytes/10)
	for seq := range Seq(24) {
		rec := Record{Seq: seq, Decision: &Decision{Line: line}}
		b.add(rec)
		b.add(rec)
	}
	_, newest := b.of[23]
	_, oldest := b.of[13]
	if b.add(Record{Seq: 24, Decision: &Decision{Line: make([]byte, briefsBytes/2)}}); len(b.of) != 10 || len(b.next) != 10 || !newest || oldest || b.size != 10*len(line) {
		t.Errorf("%d are kept, %d of them to go, of %d bytes; the newest: %t, one long gone: %t", len(b.of), len(b.next), b.size, newest, oldest)
	}
}
