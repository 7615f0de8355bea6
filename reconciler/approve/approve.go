// Package approve judges people's words about content: whose approval counts,
// and whose does not and why. It is pure. It refuses to count an author's own,
// one for other content, one given before a finding was known, and, where an
// environment is protected, one whose giver was not proved.
package approve

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

// Question is what approvals are wanted for.
type Question struct {
	Key       record.Key
	Protected bool     // the environment's
	Codes     []string // of the findings there are now
	Authors   []Author // of the commits that bring the content
	Now       time.Time
}

// Author of a commit, as the commit claims.
type Author struct{ Name, Email string }

// Verdict is one person's word and what it is worth.
type Verdict struct {
	record.Approval
	Author bool // by somebody who wrote the content
	// Why it does not count; "" when it does. A void one was given about
	// something else or no longer holds, and policy is not told of it.
	Why  string
	Void bool
}

// Counts tells whether it is a yes that counts.
func (v Verdict) Counts() bool { return v.Why == "" && answer(v.Approval) == record.Approved }

func answer(a record.Approval) record.Answer { return cmp.Or(a.Answer, record.Approved) }

// Weigh gives the newest word of each person about the key, in order of time.
func Weigh(all []record.Approval, q Question) []Verdict {
	newest := map[string]record.Approval{}
	for _, a := range all {
		if a.Key == q.Key && !a.Guard {
			newest[a.By] = a // the list is in order of time
		}
	}
	out := make([]Verdict, 0, len(newest))
	for _, a := range newest {
		out = append(out, weigh(a, q))
	}
	slices.SortFunc(out, func(a, b Verdict) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.By, b.By))
	})
	return out
}

func weigh(a record.Approval, q Question) Verdict {
	v := Verdict{Approval: a, Author: wrote(a, q.Authors)}
	unseen := missing(q.Codes, a.Findings)
	switch {
	case answer(a) == record.Withdrawn:
		v.Why, v.Void = "withdrawn", true
	case !a.Until.IsZero() && !q.Now.Before(a.Until):
		v.Why, v.Void = "expired", true
	case answer(a) == record.Rejected:
		// A no holds whoever says it.
	case len(unseen) > 0:
		v.Why, v.Void = "given before "+strings.Join(unseen, ", ")+" was found", true
	case v.Author:
		v.Why = "the author of the content"
	case q.Protected && !a.Verified:
		v.Why = "whose it is was not proved, and the environment is protected"
	}
	return v
}

func wrote(a record.Approval, authors []Author) bool {
	p := access.Person{Name: stated(a.By), Emails: a.Emails}
	return slices.ContainsFunc(authors, func(w Author) bool { return p.Same(w.Name, w.Email) })
}

// stated is the bare name of an unverified person (local:NAME (unverified)).
func stated(by string) string {
	by = strings.TrimSuffix(by, " (unverified)")
	if _, name, ok := strings.Cut(by, ":"); ok {
		return name
	}
	return by
}

// missing are the codes that were not among those seen.
func missing(codes, seen []string) []string {
	var out []string
	for _, c := range codes {
		if !slices.Contains(seen, c) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return out
}

// Standing are the verdicts that are not void.
func Standing(vs []Verdict) []Verdict {
	return slices.DeleteFunc(slices.Clone(vs), func(v Verdict) bool { return v.Void })
}

// Rejection is the newest standing no.
func Rejection(vs []Verdict) (Verdict, bool) {
	for _, v := range slices.Backward(vs) {
		if !v.Void && answer(v.Approval) == record.Rejected {
			return v, true
		}
	}
	return Verdict{}, false
}

// Names of those whose yes counts.
func Names(vs []Verdict) []string {
	var out []string
	for _, v := range vs {
		if v.Counts() {
			out = append(out, v.By)
		}
	}
	return out
}

// Guarded tells whether somebody lifted such a hold (deletion_guard, adoption)
// for the key.
func Guarded(all []record.Approval, key record.Key, now time.Time) bool {
	return slices.ContainsFunc(all, func(a record.Approval) bool {
		return a.Guard && a.Key == key && (a.Until.IsZero() || now.Before(a.Until))
	})
}

// Missing says in words how many approvals there are of those needed.
func Missing(vs []Verdict, need int) string {
	names := Names(vs)
	text := fmt.Sprintf("%d of %d approvals", len(names), need)
	if len(names) > 0 {
		text += " (" + strings.Join(names, ", ") + ")"
	}
	for _, v := range vs {
		if v.Why != "" && v.Why != "withdrawn" {
			text += fmt.Sprintf("; %s does not count: %s", v.By, v.Why)
		}
	}
	return text
}
