package reconciler

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"

	"mooring.dev/policy"
	"mooring.dev/reconciler/promote"
	"mooring.dev/sources"
)

// promotionMessage says in trailers what was moved, by which decision, and on
// what evidence. A fast-forward makes no commit and has no such message: the
// journal tells the same of every move.
func (p *pass) promotionMessage(m promote.Move, d policy.Decision) string {
	trailers := map[string]string{
		"Mooring-Content": m.Key.Content, "Mooring-From": m.From, "Mooring-Source": m.Commit, "Mooring-Decision": d.ID,
	}
	var evidence []string
	for _, up := range p.beforePlaces(m.Key) {
		evidence = append(evidence, evidenceOf(up)...)
	}
	evidence = append(evidence, p.relied...)
	if len(evidence) > 0 {
		trailers["Mooring-Evidence"] = strings.Join(evidence, "\n")
	}
	return sources.AppendTrailers(fmt.Sprintf("Promote %s from %s to %s", short(m.Key.Content), m.From, m.To), trailers)
}

// evidenceOf names each check's result upstream by the digest of its record.
func evidenceOf(up promote.Place) []string {
	var out []string
	for _, c := range up.Checks {
		text, err := json.Marshal(c)
		if err != nil {
			continue // plain data: cannot fail
		}
		out = append(out, fmt.Sprintf("%s/%s sha256:%x", up.Environment.Name, c.Name, sha256.Sum256(text)))
	}
	return out
}
