package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mooring.dev/reconciler/record"
)

// seen is how a row of the catalogue is found, in two cells of the table.
func seen(n int) string {
	calls := seenBy[n-1]
	if len(calls) == 0 {
		return "– | –"
	}
	var ages []string
	marked := make([]string, len(calls))
	for i, call := range calls {
		marked[i] = "`" + call + "`"
		if within := withinOf(call); !slices.Contains(ages, within) {
			ages = append(ages, within)
		}
	}
	return strings.Join(marked, " ") + " | " + strings.Join(ages, ", ")
}

const driftSoon = `
## How soon

A change is found by looking, at the latest after the time in the first table: the answer named there is the one that shows it. ` + "`drift.interval`" + ` is a
minute where nothing else is declared; the times hold up to some 200 functions, and [operations](operations.md#what-it-costs) says what a larger fleet
takes. It is looked at a second time before anything is done.

Where the environment has [a queue of hints](operations.md#hints-word-of-changes-as-they-happen), CloudTrail's events come first, mostly within a minute, and the resource is
looked at right away. Of each row that the trail tells of word comes that way, with rows %s as exceptions: IAM's events go to us-east-1 only, so that
word of roles comes where a rule there sends it on. Without a queue Mooring asks the trail (` + "`LookupEvents`" + `) who it was, and the name may come some minutes after the
difference: it is asked for twenty minutes, and after that nobody is known to have done it. A revert waits for the name only where a policy asks who it was.

| layer | seen by | at the latest after |
|---|---|---|
`

const driftLeft = `
## What is left to you

What is put back needs nothing but a look at who did it. For what is held or told there are three ways, and each is in the alert and on the page:

- ` + "`mooring drift revert ITEM --environment E`" + ` puts it back, now;
- ` + "`mooring drift accept ITEM --environment E --until 4h --reason R`" + ` leaves it for a while; it is asked about again after that;
- a commit that declares what lives: the difference is gone with it.

| # | what drifts | what to think of |
|---|---|---|
`

// soon says when what is there is seen.
func (p *driftPage) soon() {
	fmt.Fprintf(p, driftSoon, strings.Join(unheard[:len(unheard)-1], ", ")+" and "+unheard[len(unheard)-1])
	for _, l := range layersSeen {
		fmt.Fprintf(p, "| `%s` | `%s` | %s |\n", l.layer, strings.Join(l.calls, "` `"), l.within)
	}
}

// left is what people do.
func (p *driftPage) left(t *testing.T) {
	t.Helper()
	p.WriteString(driftLeft)
	for n := 1; n <= len(catalogue); n++ {
		if (advice[n] != "") != p.needsSomebody(n) {
			t.Errorf("row %d: what is left to people has advice, and nothing else has", n)
		}
		if advice[n] != "" {
			fmt.Fprintf(p, "| %d | %s | %s |\n", n, catalogue[n-1], advice[n])
		}
	}
}

// needsSomebody is true for a row of which something is not put back by itself.
func (p *driftPage) needsSomebody(n int) bool {
	for i := range p.rows[n] {
		row := &p.rows[n][i]
		if row.unread != nil || slices.ContainsFunc(row.responses(), func(r record.Response) bool { return r != reverts }) {
			return true
		}
	}
	return p.rows[n] == nil
}

// TestDriftIsSeenAsOperationsSay: each call that shows a row belongs to a layer,
// and docs/operations.md gives a layer the same time.
func TestDriftIsSeenAsOperationsSay(t *testing.T) {
	made := map[string]bool{}
	for _, row := range driftRows() {
		if len(row.want) > 0 || row.unread != nil {
			made[row.number] = true
		}
	}
	for n, calls := range seenBy {
		if made[fmt.Sprint(n+1)] != (len(calls) > 0) {
			t.Errorf("row %d: seen by %v, and it is made: %v", n+1, calls, made[fmt.Sprint(n+1)])
		}
		for _, call := range calls {
			if withinOf(call) == "" {
				t.Errorf("row %d: %s belongs to no layer", n+1, call)
			}
		}
	}
	operations := readRoot(t, "docs/operations.md")
	others := regexp.MustCompile(`(?m)^\| the other kinds \|.*\| (.+?) \|$`).FindStringSubmatch(operations)
	if others == nil {
		t.Fatal("docs/operations.md has no row for the other kinds")
	}
	for _, l := range layersSeen {
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + l.layer + "`[^|]*\\|(.*)\\| (.+?) \\|$").FindStringSubmatch(operations)
		if row == nil && l.within != others[1] {
			t.Errorf("%s: %s, and docs/operations.md says %s of the other kinds", l.layer, l.within, others[1])
		}
		if row != nil && row[2] != l.within && !strings.Contains(row[1], l.within) {
			t.Errorf("%s: %s, and docs/operations.md says %s", l.layer, l.within, row[2])
		}
	}
}
