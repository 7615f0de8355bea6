package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mooring.dev/reconciler/record"
)

// TestDriftDocs: the tables in docs are those of the suite, and every row of
// the catalogue is in it or has its reason.
func TestDriftDocs(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "drift.md")
	want := driftDocs(t, driftRows())
	if *updateDocs {
		check(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	check(t, err)
	if string(got) != want {
		t.Error("docs/drift.md is not what the suite says: go test ./cmd/mooring -run TestDriftDocs -update-docs")
	}
}

// TestWhatAWSDoesHasItsTests: the tests the page relies on are there.
func TestWhatAWSDoesHasItsTests(t *testing.T) {
	var tests []byte
	check(t, filepath.WalkDir(moduleRoot(t), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		tests = append(tests, text...)
		return err
	}))
	for _, does := range byAWS {
		if !bytes.Contains(tests, []byte("func "+does.test+"(")) {
			t.Errorf("no test is called %s", does.test)
		}
	}
}

// driftPage is docs/drift.md as it is written.
type driftPage struct {
	strings.Builder
	rows map[int][]driftRow // by number in the catalogue
}

const driftIntroduction = `# Drift

What people and other tools do to a running system by hand, how Mooring shows it, and what it does by default. A policy may decide
otherwise for any of it: see [policy.md](policy.md).

- **revert**: put back, the changed field only, after a second look.
- **hold**: not touched until a person says so ("mooring drift revert" or "accept"). What operators do in an incident is held,
  and so is what putting back might make worse.
- **alert**: told, not touched.
- **propose**: offered as a pull request that declares it, by policy only: see [below](#declaring-what-was-changed-by-hand).

Each difference is told with who did it, where CloudTrail knows ([how soon](#how-soon)), and with its severity. Reverting stops after a few rounds against
another writer and becomes a hold. Sensitive values are keyed tokens here as everywhere (hmac:…): equal values have equal tokens.
`

// driftAdoption is the chapter about the answer propose.
const driftAdoption = `
## Declaring what was changed by hand

What somebody did in an incident is often right, and should stand in Git. A drift policy says so with ` + "`" + `propose` + "`" + `:

` + "`" + `` + "`" + `` + "`" + `rego
package policy.drift.keep

action contains {"item": i.id, "do": "propose", "reason": "what on call needs is kept"} if {
	some i in input.items
	i.path in {"memorySize", "timeout", "reservedConcurrentExecutions"}
}
` + "`" + `` + "`" + `` + "`" + `

Mooring then edits the environment's manifests so that they declare what lives, pushes that to the branch ` + "`" + `mooring/adopt/ENVIRONMENT` + "`" + `, and opens
one pull request from it into the environment's branch, where the pipeline names a [host](hosts.md). The alert, ` + "`" + `mooring drift` + "`" + `, the page and the
API (` + "`" + `proposal` + "`" + `) say where it is. Nothing is put back meanwhile, and a difference that is held is offered when the hold is lifted.

**What is written, and where.** An environment that has its manifests to itself (it comes after none, none comes after it, none reads its folder) has
them edited where the field stands. Of all others the edit goes to ` + "`" + `environments/ENVIRONMENT.yaml` + "`" + `: the value that the manifest names, the patch that
is about it, or a new one. No other environment is changed by it. What is not edited keeps its bytes, comments included. An address of something
declared is written as a reference. Before anything is pushed the edited tree is rendered: each difference has to be declared as it lives, and no
other field of any resource may have changed. What does not come out so is not adopted, and the request says why:

| not adopted | because | instead |
|---|---|---|
| a secret, or what is known as a token only, as are variables that nobody declared | no secret is written | declare it as a ` + "`" + `secret` + "`" + ` or ` + "`" + `parameter` + "`" + `, or put it back |
| code | what was tested is what is deployed | build it, and name its digest |
| where an alias points, published versions | releases move traffic | release, or roll back |
| a reference that lives as something that is not declared here | it would be a literal where a name is meant | declare the other thing |
| a resource of its own that is gone | whether it is declared is a decision about what it held | take its manifest out, or let it be made again |
| fields no manifest has; files written with anchors, aliases or text folded over lines where the edit would be | a program would have to guess | edit it by hand |

At most 100 differences go into one request, and of a very large tree those that can be tried within seconds; the others follow when these are in.

**Merged**, it is a commit like any other: admission policy judges it, and the difference ends when it is in force. However it is merged, what counts is
what it declares. **Closed** and not merged, or its branch deleted, it is refused: it is not offered again while the same value lives, also after a
restart, and the difference stays told, with the number of the request that was closed. Another value is offered anew, and opening the request again takes
the refusal back. When the difference goes by itself, the branch is set back to the environment's and the request says that nothing is left, so that merging it late does nothing.
The request follows its base branch and what differs, and is changed every five minutes at most.

**How long it stays.** [Promotion](promotion.md) takes trees whole. In an environment with ` + "`" + `after` + "`" + `, the next content brings the copy of
` + "`" + `environments/ENVIRONMENT.yaml` + "`" + ` that the environment before has, and takes the adoption back. The request says so, with the command that brings the
same commit to where content begins (` + "`" + `git cherry-pick -x COMMIT` + "`" + `). Until other content comes, ` + "`" + `mooring status` + "`" + ` shows the promotion as ` + "`" + `returned` + "`" + ` and nothing is taken back.

**Without a host** the pushed branch is the offer, and the alert names it. A working folder as the repository, and one that takes no push, are told as an alert of kind
` + "`" + `adoption` + "`" + `; the differences are told as before. Mooring's Git credentials need the right to push ` + "`" + `mooring/adopt/` + "`" + ` branches, replaced at will, and no other.
` + "`" + `mooring run --once` + "`" + ` pushes the branch and speaks with no host.
`

func driftDocs(t *testing.T, rows []driftRow) string {
	t.Helper()
	p := &driftPage{rows: map[int][]driftRow{}}
	names := map[string]bool{}
	for i := range rows {
		n, err := strconv.Atoi(rows[i].number)
		check(t, err)
		p.rows[n] = append(p.rows[n], rows[i])
		if names[rows[i].name] {
			t.Errorf("two rows are called %s", rows[i].name)
		}
		names[rows[i].name] = true
	}
	for n := 1; n <= len(catalogue); n++ {
		if (p.rows[n] == nil) == (otherRows[n] == "") {
			t.Errorf("row %d of the catalogue is neither made nor explained, or both", n)
		}
	}
	p.WriteString(driftIntroduction)
	fmt.Fprintf(p, `
The tables are made from those of a test (%s), in which every row happens: somebody else
makes the change with boto3 or the AWS CLI while the daemon watches, and the test wants exactly these differences, their values, severity
and response, the person's name and call from the audit trail, exactly these calls of Mooring's, and in the end what lives as
declared again (revert) or as it was left (hold, alert). The numbers are those of a catalogue of %d ways a serverless system
drifts: %d are made, in %d rows; the others say why not.

## At a glance

| # | what drifts | by default | shown by | at the latest after |
|---|---|---|---|---|
`, "`go test ./cmd/mooring -run TestDriftCatalogue`", len(catalogue), len(p.rows), len(rows))
	for n, title := range catalogue {
		fmt.Fprintf(p, "| %d | %s | %s | %s |\n", n+1, title, p.outcome(n+1), seen(n+1))
	}
	p.soon()
	p.left(t)
	p.chapters()
	p.nothing()
	p.WriteString(driftAdoption)
	return p.String()
}

// outcome is what becomes of a row of the catalogue, in a line.
func (p *driftPage) outcome(n int) string {
	if p.rows[n] == nil {
		return otherRows[n]
	}
	deeds := map[record.Response][]string{}
	var none, unread []string
	for i := range p.rows[n] {
		row := &p.rows[n][i]
		switch {
		case row.unread != nil:
			unread = append(unread, escape(row.deed)+"; what cannot be read is told, and nothing is written over it")
		case len(row.want) == 0:
			none = append(none, escape(row.deed))
		}
		for _, r := range row.responses() {
			deeds[r] = append(deeds[r], escape(row.deed))
		}
	}
	var parts []string
	for _, r := range []record.Response{reverts, holds, alerts} {
		if deeds[r] != nil {
			parts = append(parts, "**"+string(r)+"**: "+strings.Join(deeds[r], "; "))
		}
	}
	if none != nil {
		parts = append(parts, "**no drift**: "+strings.Join(none, "; "))
	}
	if unread != nil {
		return "**unknown**: " + strings.Join(unread, "; ")
	}
	if len(p.rows[n]) == 1 { // its title says what was done
		for i := range parts {
			parts[i], _, _ = strings.Cut(parts[i], ": ")
		}
		return strings.Join(parts, " and ")
	}
	return strings.Join(parts, "<br>")
}

// responses are those to what a row is about: what comes along is of low
// severity, or waits for something else.
func (row *driftRow) responses() []record.Response {
	var out []record.Response
	for _, w := range row.want {
		if !w.waits && w.severity != "low" && !slices.Contains(out, w.response) {
			out = append(out, w.response)
		}
	}
	if out == nil && len(row.want) > 0 {
		out = append(out, row.want[0].response)
	}
	return out
}

// chapters show what each row is seen as.
func (p *driftPage) chapters() {
	from := 1
	for _, c := range chapters {
		fmt.Fprintf(p, "\n## %s\n\n| # | by hand | seen as | declared → live | by default | told by the trail | Mooring writes |\n|---|---|---|---|---|---|---|\n", c.title)
		for n := from; n <= c.to; n++ {
			for i := range p.rows[n] {
				p.row(&p.rows[n][i])
			}
		}
		from = c.to + 1
	}
}

func (p *driftPage) row(row *driftRow) {
	number, deed, writes := row.number, escape(row.deed), code(strings.Join(row.writes, "; "))
	for _, want := range row.want {
		response := string(want.response)
		if want.waits {
			response += ", once its parent is back"
		}
		event := want.event
		if event == "" {
			event = "–"
		}
		change := ""
		if want.declared != "" || want.live != "" {
			change = orNothing(code(want.declared)) + " → " + orNothing(code(want.live))
		}
		fmt.Fprintf(p, "| %s | %s | %s | %s | %s, %s | %s | %s |\n", number, deed,
			escape(strings.ReplaceAll(want.what, "NAME", "f")), change, response, want.severity, event, writes)
		number, deed, writes = "", "", ""
	}
}

func orNothing(code string) string {
	if code == "" {
		return "nothing"
	}
	return code
}

// nothing is what is no drift.
func (p *driftPage) nothing() {
	p.WriteString("\n## No drift\n\nThese are made as well, and nothing may be seen or done.\n\n| # | by hand |\n|---|---|\n")
	for n := 1; n <= len(catalogue); n++ {
		for _, row := range p.rows[n] {
			if len(row.want) == 0 {
				fmt.Fprintf(p, "| %d | %s |\n", n, escape(row.deed))
			}
		}
	}
	p.WriteString("\nWhat AWS does by itself is no drift either. It\n\n")
	for _, does := range byAWS {
		fmt.Fprintf(p, "- %s (`%s`)\n", does.what, does.test)
	}
}

// code is a value as the table shows it, cut where it is long.
func code(value string) string {
	if value == "" {
		return ""
	}
	value = strings.NewReplacer("production-NAME", "f", "TOKEN", "hmac:…", "`", "'").Replace(value)
	if runes := []rune(value); len(runes) > 70 {
		value = string(runes[:69]) + "…"
	}
	return "`" + escape(value) + "`"
}
