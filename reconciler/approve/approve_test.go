package approve

import (
	"slices"
	"strings"
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

func lost(record.Approval) string { return "may approve no more" }

func TestWhoCounts(t *testing.T) {
	q := Question{Key: key, Protected: true, Codes: []string{"size"}, Authors: []Author{{"Dev", "dev@example.com"}}, Now: now}
	for name, c := range map[string]struct {
		change func(*record.Approval, *Question)
		counts bool
		void   bool
	}{
		"as it should be":              {func(*record.Approval, *Question) {}, true, false},
		"more seen than is":            {func(a *record.Approval, _ *Question) { a.Findings = []string{"size", "freeze"} }, true, false},
		"the author":                   {func(a *record.Approval, _ *Question) { a.By = "dev" }, false, false},
		"author by address":            {func(a *record.Approval, _ *Question) { a.Emails = []string{"DEV@example.com"} }, false, false},
		"stated author":                {func(a *record.Approval, _ *Question) { a.By, a.Verified = "local:dev (unverified)", false }, false, false},
		"stated":                       {func(a *record.Approval, _ *Question) { a.Verified = false }, false, false},
		"stated, unprotected":          {func(a *record.Approval, q *Question) { a.Verified, q.Protected = false, false }, true, false},
		"expired":                      {func(a *record.Approval, _ *Question) { a.Until = now }, false, true},
		"withdrawn":                    {func(a *record.Approval, _ *Question) { a.Answer = record.Withdrawn }, false, true},
		"rejected":                     {func(a *record.Approval, _ *Question) { a.Answer = record.Rejected }, false, false},
		"may approve no more":          {func(_ *record.Approval, q *Question) { q.May = lost }, false, true},
		"stated, no right asked again": {func(a *record.Approval, q *Question) { a.Verified, q.Protected, q.May = false, false, lost }, true, false},
		"still may":                    {func(_ *record.Approval, q *Question) { q.May = func(record.Approval) string { return "" } }, true, false},
		"a no of who may no more":      {func(a *record.Approval, q *Question) { a.Answer, q.May = record.Rejected, lost }, false, false},
		"a new finding":                {func(_ *record.Approval, q *Question) { q.Codes = []string{"size", "iam"} }, false, true},
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

const issuer = "https://id.shop.example"

// at is a word of somebody whom an issuer alone names.
func at(a record.Approval, subject string) record.Approval {
	a.Identity = "oidc:" + issuer + "|" + subject
	return a
}

func mails(a record.Approval, emails ...string) record.Approval {
	a.Emails = emails
	return a
}

func no(a record.Approval) record.Approval {
	a.Answer = record.Rejected
	return a
}

// Nobody approves twice by two proofs, and nobody who only has the same name takes
// back what another one said.
func TestOneHumanCountsOnce(t *testing.T) {
	stated := yes("local:ann (unverified)")
	stated.Verified = false
	for name, c := range map[string]struct {
		words []record.Approval
		count int
	}{
		"two persons":                     {[]record.Approval{yes("ann"), yes("bob")}, 2},
		"two persons of one issuer":       {[]record.Approval{at(yes("ann"), "1"), at(yes("bob"), "2")}, 2},
		"a token and an issuer's":         {[]record.Approval{yes("ann"), at(yes("ann"), "1")}, 1},
		"by another case":                 {[]record.Approval{yes("ann"), at(yes("Ann"), "1")}, 1},
		"by an address as name":           {[]record.Approval{yes("ann"), at(yes("ann@shop.example"), "1")}, 1},
		"the other way round":             {[]record.Approval{at(yes("ann"), "1"), yes("ann@shop.example")}, 1},
		"one name at two issuers":         {[]record.Approval{at(yes("ann"), "1"), at(yes("ann"), "2")}, 1},
		"one address, other names":        {[]record.Approval{mails(yes("ann"), "a@shop.example"), mails(at(yes("nan"), "1"), "A@shop.example")}, 1},
		"one address, two tokens":         {[]record.Approval{mails(yes("ann"), "a@shop.example"), mails(yes("ann-laptop"), "a@shop.example")}, 1},
		"an address that is a name":       {[]record.Approval{mails(yes("nan"), "ann@shop.example"), at(yes("ann"), "1")}, 1},
		"stated and proved":               {[]record.Approval{yes("ann"), stated}, 1},
		"names that only begin alike":     {[]record.Approval{yes("ann"), at(yes("anna"), "1")}, 2},
		"known people with like names":    {[]record.Approval{yes("ann"), yes("ann@shop.example")}, 2},
		"three proofs of one, one of bob": {[]record.Approval{yes("ann"), at(yes("ann"), "1"), at(yes("ann"), "2"), yes("bob")}, 2},
	} {
		vs := Weigh(c.words, Question{Key: key, Now: now})
		if got := Names(vs); len(got) != c.count {
			t.Errorf("%s: %v count, want %d: %s", name, got, c.count, Missing(vs, 2))
		}
		for _, v := range vs {
			if !v.Counts() && (!v.Void || !strings.Contains(v.Why, "identity.people")) {
				t.Errorf("%s: %s is told %q", name, v.By, v.Why)
			}
		}
	}
	vs := Weigh([]record.Approval{no(yes("ann")), at(yes("ann"), "1")}, Question{Key: key, Now: now})
	if v, held := Rejection(vs); !held || v.Identity != "" {
		t.Errorf("who has only the same name took a no back: %+v", vs)
	}
	if vs := Weigh([]record.Approval{no(at(yes("ann"), "1")), at(yes("ann"), "1")}, Question{Key: key, Now: now}); len(vs) != 1 || !vs[0].Counts() {
		t.Errorf("the same person may: %+v", vs)
	}
	// Of two words that may be one human's that stays which was proved.
	if vs := Weigh([]record.Approval{yes("ann"), stated}, Question{Key: key, Now: now}); !slices.Equal(Names(vs), []string{"ann"}) {
		t.Errorf("%v", Names(vs))
	}
}
