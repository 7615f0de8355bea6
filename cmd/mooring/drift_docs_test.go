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

Each difference is told with who did it, where CloudTrail knows ([how soon](#how-soon)), and with its severity. Reverting stops after a few rounds against
another writer and becomes a hold. Sensitive values are keyed tokens here as everywhere (hmac:…): equal values have equal tokens.
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
