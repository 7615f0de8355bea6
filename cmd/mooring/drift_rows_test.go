package main

import (
	"fmt"
	"strings"

	"mooring.dev/reconciler/record"
)

// driftRow is one deed by another hand, on resources of its own.
type driftRow struct {
	number string // of the catalogue of drift
	name   string // of the row and of what it declares
	deed   string // what the hand does, in words
	// declared is the manifest, in which NAME stands for the name and
	// ARTIFACT for its code.
	declared string
	before   func(h *python, physical string) // makes what must be there before the deployment
	hand     func(h *python, physical string)
	// look reads what the suite's own look does not: live, beside Mooring.
	look   func(h *python, physical string) any
	who    string   // the actor's name as the trail has it; "" is user/alice
	want   []wanted // exactly these differences; none: it is no drift
	unread []string // "Kind/NAME path" of exactly what is told as not read; nil: not looked at
	writes []string // exactly these changes, "Operation member member"
}

// done is true for what the daemon puts back by itself.
func (w wanted) done() bool { return w.response == reverts && !w.waits }

// fate says how what lives ends: as declared again, as the hand left it, or
// a part of each.
func (row *driftRow) fate() (back, left bool) {
	for _, want := range row.want {
		back, left = back || want.done(), left || !want.done()
	}
	return back && !left, !back
}

// wanted is one difference as it must be shown.
type wanted struct {
	// what is "Kind/NAME.child path kind", kind being changed, missing or extra.
	what           string
	declared, live string // as shown; TOKEN is a keyed token
	severity       string
	response       record.Response
	event          string // of the audit trail
	waits          bool   // it is put back once a person has let something else be put back
}

// The responses by the words of the catalogue.
const (
	reverts = record.Revert
	holds   = record.HoldIt
	alerts  = record.Alert
)

// function is the manifest of a plain function with further fields, one a
// line, and more documents behind it.
func function(fields ...string) string {
	more := ""
	for _, f := range fields {
		if doc, ok := strings.CutPrefix(f, "---"); ok {
			more += "---" + doc
		}
	}
	var b strings.Builder
	b.WriteString("apiVersion: mooring.dev/v1\nkind: Function\nmetadata: {name: NAME}\nspec:\n  artifact: ARTIFACT\n  runtime: provided.al2023\n  handler: bootstrap\n")
	role := "  role: {arn: 'arn:aws:iam::111111111111:role/drift'}\n"
	for _, f := range fields {
		if strings.HasPrefix(f, "role:") {
			role = ""
		}
		if !strings.HasPrefix(f, "---") {
			b.WriteString("  " + f + "\n")
		}
	}
	return b.String() + role + more
}

// queue is the manifest of a queue of a row's; more than one have names that
// go on from the row's with -x-.
func queue(name string, fields ...string) string {
	spec := ""
	if len(fields) > 0 {
		spec = "spec: {" + strings.Join(fields, ", ") + "}\n"
	}
	return fmt.Sprintf("---\napiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: %s}\n%s", name, spec)
}

// manifest is what the row declares.
func (row *driftRow) manifest(h *python) string {
	artifact := fmt.Sprintf("{uri: 'file:checkout-1.zip', digest: '%s'}", h.files.digests["checkout-1"])
	words := []string{"NAME", row.name, "ARTIFACT", artifact}
	for word, value := range h.made {
		words = append(words, word, value)
	}
	return strings.NewReplacer(words...).Replace(row.declared)
}
