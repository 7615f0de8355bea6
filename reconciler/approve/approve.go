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
	// May says why the giver of a yes whose name was proved may approve no more;
	// "" while they may. nil: nobody's right is asked again.
	May func(record.Approval) string
	Now time.Time
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
// Of several who may be one human, one yes counts.
func Weigh(all []record.Approval, q Question) []Verdict {
	newest := map[string]record.Approval{}
	for _, a := range all {
		if a.Key == q.Key && !a.Guard {
			newest[a.Person()] = a // the list is in order of time
		}
	}
	out := make([]Verdict, 0, len(newest))
	for _, a := range newest {
		out = append(out, weigh(a, q))
	}
	slices.SortFunc(out, func(a, b Verdict) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Person(), b.Person()))
	})
	once(out)
	return out
}

// once leaves one yes of those that may be of one human. Who is not known to be
// one person has words of their own: nobody takes back what another one said.
// Who is not known to be two counts once: an approval too few is asked for again,
// one too many is not noticed.
// The newest stays, which saw the most, before it one whose name was proved.
func once(vs []Verdict) {
	for i := range vs {
		for j := range i {
			if !vs[i].Counts() || !vs[j].Counts() || !alike(vs[i].Approval, vs[j].Approval) {
				continue
			}
			stays, goes := &vs[i], &vs[j]
			if goes.Verified && !stays.Verified {
				stays, goes = goes, stays
			}
			goes.Why, goes.Void = "it may be the same person as "+shown(stays.Approval)+", who approved too; identity.people in mooring.yaml says who is who", true
		}
	}
}

// alike: two givers may be one human, by name or address. Of whom only an issuer
// names, what stands before the @ is enough, as it is of authors.
func alike(a, b record.Approval) bool {
	loose := a.Identity != "" || b.Identity != ""
	theirs := knownBy(b, loose)
	return slices.ContainsFunc(knownBy(a, loose), func(mine string) bool { return slices.Contains(theirs, mine) })
}

func knownBy(a record.Approval, loose bool) []string {
	out := []string{}
	for _, text := range append([]string{stated(a.By)}, a.Emails...) {
		text = strings.ToLower(text)
		if out = append(out, text); loose {
			local, _, _ := strings.Cut(text, "@")
			out = append(out, local)
		}
	}
	return out
}

// shown is a giver's name, and whose it is.
func shown(a record.Approval) string {
	if a.Identity == "" {
		return a.By
	}
	issuer, _, _ := strings.Cut(strings.TrimPrefix(a.Identity, "oidc:"), "|")
	return a.By + " of " + issuer
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
	case q.lost(a) != "":
		v.Why, v.Void = q.lost(a), true
	case len(unseen) > 0:
		v.Why, v.Void = "given before "+strings.Join(unseen, ", ")+" was found", true
	case v.Author:
		v.Why = "the author of the content"
	case q.Protected && !a.Verified:
		v.Why = "whose it is was not proved, and the environment is protected"
	}
	return v
}

// lost says why somebody whose name was proved then may approve no more now.
func (q Question) lost(a record.Approval) string {
	if q.May == nil || !a.Verified {
		return ""
	}
	return q.May(a)
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
			text += fmt.Sprintf("; %s does not count: %s", shown(v.Approval), v.Why)
		}
	}
	return text
}
