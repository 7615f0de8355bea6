package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
)

// Chain binds a decision record to the one before it: the record's "prev"
// member becomes prev, and the hash of the result is the next one's prev. A
// line that is no JSON object is carried as the member "line" of one. Members
// come out sorted, so the same record gives the same bytes.
func Chain(prev string, line []byte) (filled []byte, hash string) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(line, &members); err != nil || members == nil {
		members = map[string]json.RawMessage{"line": text(string(line))}
	}
	members["prev"] = text(prev)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	// Every member is valid JSON: it was just read, or made by text.
	if err := encoder.Encode(members); err != nil {
		out.Reset()
		out.Write(text(string(line)))
	}
	filled = bytes.TrimSuffix(out.Bytes(), []byte("\n"))
	return filled, digest(filled)
}

// VerifyChain checks decisions in order, the first one against prev ("" where
// the journal begins), and returns the last hash. Any record changed, left
// out or put in between is an error that names it.
func VerifyChain(prev string, decisions iter.Seq[Decision]) (last string, err error) {
	for d := range decisions {
		var head struct {
			Prev string `json:"prev"`
		}
		if err := json.Unmarshal(d.Line, &head); err != nil {
			return prev, fmt.Errorf("decision %s: %w", d.ID, err)
		}
		if head.Prev != prev {
			return prev, fmt.Errorf("%w: decision %s does not follow the one before it", ErrCorrupt, d.ID)
		}
		if digest(d.Line) != d.Hash {
			return prev, fmt.Errorf("%w: decision %s was changed", ErrCorrupt, d.ID)
		}
		prev = d.Hash
	}
	return prev, nil
}

func text(s string) json.RawMessage {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return json.RawMessage(`""`)
	}
	return quoted
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
