package approve

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/reconciler/record"
)

var (
	now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	key = record.Key{Content: "sha256:aa", Overlay: "sha256:bb"}
)

func yes(by string, codes ...string) record.Approval {
	return record.Approval{Key: key, By: by, Verified: true, Findings: codes, At: now.Add(-time.Minute), Until: now.Add(time.Hour)}
}

func TestWhoCounts(t *testing.T) {
	q := Question{Key: key, Protected: true, Codes: []string{"size"}, Authors: []Author{{"Dev", "dev@example.com"}}, Now: now}
	for name, c := range map[string]struct {
		change func(*record.Approval, *Question)
		counts bool
		void   bool
	}{
		"as it should be":     {func(*record.Approval, *Question) {}, true, false},
		"more seen than is":   {func(a *record.Approval, _ *Question) { a.Findings = []string{"size", "freeze"} }, true, false},
		"the author":          {func(a *record.Approval, _ *Question) { a.By = "dev" }, false, false},
		"author by address":   {func(a *record.Approval, _ *Question) { a.Emails = []string{"DEV@example.com"} }, false, false},
		"stated author":       {func(a *record.Approval, _ *Question) { a.By, a.Verified = "local:dev (unverified)", false }, false, false},
		"stated":              {func(a *record.Approval, _ *Question) { a.Verified = false }, false, false},
		"stated, unprotected": {func(a *record.Approval, q *Question) { a.Verified, q.Protected = false, false }, true, false},
		"expired":             {func(a *record.Approval, _ *Question) { a.Until = now }, false, true},
		"withdrawn":           {func(a *record.Approval, _ *Question) { a.Answer = record.Withdrawn }, false, true},
		"rejected":            {func(a *record.Approval, _ *Question) { a.Answer = record.Rejected }, false, false},
		"a new finding":       {func(_ *record.Approval, q *Question) { q.Codes = []string{"size", "iam"} }, false, true},
	} {
		a, q := yes("ann", "size"), q
		c.change(&a, &q)
		vs := Weigh([]record.Approval{a}, q)
		if len(vs) != 1 || vs[0].Counts() != c.counts || vs[0].Void != c.void {
			t.Errorf("%s: %+v", name, vs)
		}
	}
	for name, change := range map[string]func(*record.Approval){
		"other content": func(a *record.Approval) { a.Key.Content = "sha256:cc" }, "other overlay": func(a *record.Approval) { a.Key.Overlay = "sha256:cc" },
		"a guard's": func(a *record.Approval) { a.Guard = true },
	} {
		a := yes("ann", "size")
		change(&a)
		if vs := Weigh([]record.Approval{a}, q); len(vs) != 0 {
			t.Errorf("%s is heard: %+v", name, vs)
		}
	}
}

func TestTheNewestWordHolds(t *testing.T) {
	q := Question{Key: key, Now: now}
	no := yes("ann")
	no.Answer, no.Reason = record.Rejected, "no"
	if v, rejected := Rejection(Weigh([]record.Approval{yes("ann"), no}, q)); !rejected || v.By != "ann" {
		t.Errorf("got %+v", v)
	}
	if _, rejected := Rejection(Weigh([]record.Approval{no, yes("ann")}, q)); rejected {
		t.Error("ann said yes since")
	}
	if names := Names(Weigh([]record.Approval{yes("bob"), yes("ann"), yes("ann")}, q)); len(names) != 2 {
		t.Errorf("got %v", names)
	}
	if !Guarded([]record.Approval{{Key: key, Guard: true}}, key, now) || Guarded([]record.Approval{yes("ann")}, key, now) {
		t.Error("a guard is another matter")
	}
}

// More findings, more authors, protection or later time never make more
// approvals count; fewer findings never make fewer.
func TestNothingAddedMakesMoreCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"ann", "bob", "carol"})
		codes := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"size", "iam", "soak"}), rapid.ID)
		var all []record.Approval
		for range rapid.IntRange(0, 6).Draw(t, "words") {
			a := yes(names.Draw(t, "by"), codes.Draw(t, "seen")...)
			a.Verified = rapid.Bool().Draw(t, "verified")
			a.Answer = rapid.SampledFrom([]record.Answer{"", record.Approved, record.Rejected, record.Withdrawn}).Draw(t, "answer")
			all = append(all, a)
		}
		q := Question{Key: key, Codes: codes.Draw(t, "codes"), Protected: rapid.Bool().Draw(t, "protected"), Now: now}
		before := len(Names(Weigh(all, q)))
		worse := q
		worse.Codes = append(append([]string{}, q.Codes...), codes.Draw(t, "more")...)
		worse.Protected = worse.Protected || rapid.Bool().Draw(t, "more protected")
		worse.Authors = append(worse.Authors, Author{Name: names.Draw(t, "author")})
		worse.Now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "later")))
		if after := len(Names(Weigh(all, worse))); after > before {
			t.Fatalf("%d counted, now %d", before, after)
		}
		if len(Names(Weigh(all, q))) > 3 {
			t.Fatal("somebody counts twice")
		}
	})
}
