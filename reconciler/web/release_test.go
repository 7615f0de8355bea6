package web

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
)

// archive is a night whose journal is asked as it is kept.
type archive struct {
	*night
	kept []RecordedDecision
}

func (a *archive) Decisions(_ context.Context, q journal.DecisionQuery) (p DecisionPage, err error) {
	for _, d := range a.kept {
		var of struct {
			ID   string `json:"decision_id"`
			Path string `json:"path"`
		}
		if err := json.Unmarshal([]byte(d.Line), &of); err != nil {
			return p, err
		}
		if d.Seq <= q.After || q.ID != "" && q.ID != of.ID || q.Point != "" && "policy/"+q.Point != of.Path || q.Environment != "" && q.Environment != d.Environment || d.At.Before(q.Since) {
			continue
		}
		if p.Decisions = append(p.Decisions, d); len(p.Decisions) == min(2, q.Limit) { // small pages
			p.Next = d.Seq
			return p, nil
		}
	}
	return p, nil
}

func (a *archive) keep(at time.Time, id, point, digest, finding, more string) {
	line := `{"decision_id":"` + id + `","path":"policy/` + point + `","input":{"release":{"digest":"` + digest + `"}` + more + `},"result":{"outcome":"allow","findings":[{"code":"c","msg":"` + finding + `"}]}}`
	a.kept = append(a.kept, RecordedDecision{Seq: journal.Seq(len(a.kept) + 1), At: at, Environment: "production", Line: line})
}

// A release tells how it was let in: what it was to change then, what policy
// found, and who approved of it; and nothing of others, or of later looks at it.
func TestAReleaseTellsHowItWasLetIn(t *testing.T) {
	a := &archive{night: badNight(2)}
	r := &a.releases["production"][0]
	r.Promotion.Decision = "dec_promoted"
	changes := func(before string) string {
		return `,"changes":[{"resource":"Function/checkout","operation":"update","fields":[{"path":"memorySize","before":` + before + `,"after":1024},{"path":"description","before":"what went","after":""}]},` +
			`{"resource":"Function/hello","operation":"create","fields":[{"path":"kmsKeyArn","before":null,"after":""},{"path":"handler","before":null,"after":"main.handle"},{"path":"layers","before":null,"after":[]}]}]`
	}
	a.keep(r.Began.Add(-time.Hour), "dec_promoted", "promotion", r.Release.Digest, "soak of 30m is over", `,"approvals":[{"name":"ann","verified":true,"codes":["cost.memory"]},{"name":"bob","verified":false,"author":true}]`)
	a.keep(r.Began.Add(-2*time.Minute), "dec_held", "admission", r.Release.Digest, "window closed", changes("111"))
	for range 5 {
		a.keep(r.Began.Add(-time.Minute), "dec_other", "admission", "sha256:other", "of another release", changes("222"))
	}
	a.keep(r.Began, "dec_in", "admission", r.Release.Digest, "memory grew", changes("512"))
	a.keep(r.Began.Add(time.Minute), "dec_later", "admission", r.Release.Digest, "looked at later", "")
	h := serve(t, &a.fake, func(o *Options) { o.View, o.Now = a, func() time.Time { return noon } })
	view := "/environments/production/releases/" + r.Release.Digest
	body := ask(h, "GET", view, "", "Authorization", "Bearer the-token").Body.String()
	_, body, ok := strings.Cut(body, `id="admission"`)
	for _, want := range []string{"dec_promoted", "soak of 30m is over", "ann, in view of <code>cost.memory</code>", "bob (only stated) (who wrote it)", "dec_in", "memory grew", "Function/checkout", "memorySize", "<code>512</code>", "<code>1024</code>", "<td data-label=\"before\">–</td>", "main.handle", "what went"} {
		if !ok || !strings.Contains(body, want) {
			t.Errorf("it does not tell %q", want)
		}
	}
	for _, not := range []string{"dec_held", "dec_other", "dec_later", "222", "111", "kmsKeyArn", "layers", "null"} {
		if strings.Contains(body, not) {
			t.Errorf("it tells %q", not)
		}
	}
	a.kept = nil
	if body := ask(h, "GET", view, "", "Authorization", "Bearer the-token").Body.String(); !strings.Contains(body, "No decision about it is kept") {
		t.Error("without a journal it does not say so")
	}
}
