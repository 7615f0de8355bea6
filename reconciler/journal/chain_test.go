package journal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"mooring.dev/reconciler/journal"
)

func chained(n int) []journal.Decision {
	var decisions []journal.Decision
	prev := ""
	for i := range n {
		line, hash := journal.Chain(prev, []byte(fmt.Sprintf(`{"decision_id":"d%d","input":{"a":"<b> & c"},"n":%d}`, i, i)))
		decisions = append(decisions, journal.Decision{ID: fmt.Sprint("d", i), Line: line, Hash: hash})
		prev = hash
	}
	return decisions
}

func TestChain(t *testing.T) {
	line, hash := journal.Chain("before", []byte(`{"b":1e2,"prev":"forged","a":"<"}`))
	if string(line) != `{"a":"<","b":1e2,"prev":"before"}` {
		t.Errorf("line %s", line)
	}
	again, same := journal.Chain("before", []byte(` { "a" : "<" , "b" : 1e2 } `))
	if string(again) != string(line) || same != hash {
		t.Error("the same record gives other bytes when it is spaced otherwise")
	}
	for _, odd := range []string{"", "null", "[1]", "no json", "\xff"} {
		line, hash := journal.Chain("p", []byte(odd))
		var read map[string]string
		if err := json.Unmarshal(line, &read); err != nil || read["prev"] != "p" || hash == "" {
			t.Errorf("%q: %s, %v", odd, line, err)
		}
	}
}

func TestVerifyChain(t *testing.T) {
	good := chained(5)
	last, err := journal.VerifyChain("", slices.Values(good))
	if err != nil || last != good[4].Hash {
		t.Fatalf("a good chain: %v", err)
	}
	if _, err := journal.VerifyChain(good[1].Hash, slices.Values(good[2:])); err != nil {
		t.Errorf("from a checkpoint: %v", err)
	}
	swapped := slices.Clone(good)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	changed := slices.Clone(good)
	changed[3].Line = []byte(string(changed[3].Line[:len(changed[3].Line)-1]) + " }")
	rehashed := slices.Clone(good)
	rehashed[3].Line, rehashed[3].Hash = journal.Chain(good[2].Hash, []byte(`{"decision_id":"d3","forged":true}`))
	for name, bad := range map[string][]journal.Decision{"left out": slices.Delete(slices.Clone(good), 2, 3), "swapped": swapped,
		"changed": changed, "changed and hashed anew": rehashed, "first left out": good[1:]} {
		if _, err := journal.VerifyChain("", slices.Values(bad)); !errors.Is(err, journal.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}
