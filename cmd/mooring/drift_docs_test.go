package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// catalogueSize is how many rows the catalogue of drift has.
const catalogueSize = 83

// otherRows are the rows of the catalogue that are not made by hand, with the
// reason.
var otherRows = map[int]string{
	3:  "an image is declared by its digest: a tag pushed again changes nothing until somebody deploys it, which is row 1",
	12: "the sandbox has no keys; tests of the provider show that unreadable variables are unknown, not removed",
	26: "customer managed policies are referred to by ARN and not managed",
	35: "the version that traffic is on cannot be deleted; others are not needed",
	37: "functions that nobody declares are somebody else's",
	52: "AWS moves a runtime's version by itself; it is not compared",
	56: "durable functions, tenancy and capacity providers are not managed",
	57: "managed instances are not managed",
	67: "not made in this suite yet: the provider's TestOthersNotificationsStay makes it on the sandbox",
	76: "Kinesis streams are referred to by ARN and not managed",
	80: "scaling of provisioned concurrency is not managed",
	81: "KMS keys are referred to by ARN and not managed",
	82: "code is not left in the bucket (storage mode REFERENCE is not used)",
	83: "security groups and subnets are referred to by id and not managed",
}

// TestDriftDocs: the table in docs is the table of the suite, and every row of
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

func driftDocs(t *testing.T, rows []driftRow) string {
	t.Helper()
	made, names := map[int]int{}, map[string]bool{}
	for i := range rows {
		n, err := strconv.Atoi(rows[i].number)
		check(t, err)
		made[n]++
		if names[rows[i].name] {
			t.Errorf("two rows are called %s", rows[i].name)
		}
		names[rows[i].name] = true
	}
	for n := 1; n <= catalogueSize; n++ {
		if made[n] == 0 && otherRows[n] == "" {
			t.Errorf("row %d of the catalogue is neither made nor explained", n)
		}
	}
	slices.SortStableFunc(rows, func(a, b driftRow) int {
		x, _ := strconv.Atoi(a.number) // checked above
		y, _ := strconv.Atoi(b.number)
		return x - y
	})
	var b strings.Builder
	fmt.Fprintf(&b, `# Drift

What people and other tools do to a running system by hand, how Mooring shows it, and what it does by default. Made from the
table of a test (`+"`go test ./cmd/mooring -run TestDriftCatalogue`"+`), in which every row happens: somebody else makes the change with
boto3 or the AWS CLI while the daemon watches, and the test wants exactly these differences, their values, severity and
response, the person's name and call from the audit trail, exactly these calls of Mooring's, and in the end what lives as declared
again (revert) or as it was left (hold, alert). A policy may decide otherwise: see [policy.md](policy.md).

The numbers are those of a catalogue of %d ways a serverless system drifts. %d of them are made here, in %d rows.

**revert**: put back, the changed field only, after a second look. **hold**: not touched until a person says so; what operators do in an
incident is held. **alert**: told, not touched. Sensitive values are keyed tokens here as everywhere (hmac:…).

| # | by hand | seen as | declared | live | severity | response | told by the trail | Mooring writes |
|---|---|---|---|---|---|---|---|---|
`, catalogueSize, len(made), len(rows))
	for i := range rows {
		writeRow(&b, &rows[i])
	}
	b.WriteString("\n## No drift\n\nThese are made as well, and nothing may be seen or done.\n\n| # | by hand or by AWS |\n|---|---|\n")
	for i := range rows {
		if len(rows[i].want) == 0 {
			fmt.Fprintf(&b, "| %s | %s |\n", rows[i].number, escape(rows[i].deed))
		}
	}
	b.WriteString("\n## Not made\n\n| # | why |\n|---|---|\n")
	for n := 1; n <= catalogueSize; n++ {
		if made[n] == 0 {
			fmt.Fprintf(&b, "| %d | %s |\n", n, otherRows[n])
		}
	}
	return b.String()
}

func writeRow(b *strings.Builder, row *driftRow) {
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
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", number, deed,
			escape(strings.ReplaceAll(want.what, "NAME", "f")), code(want.declared), code(want.live), want.severity, response, event, writes)
		number, deed, writes = "", "", ""
	}
}

// code is a value as the table shows it, cut where it is long.
func code(value string) string {
	if value == "" {
		return ""
	}
	value = strings.NewReplacer("production-NAME", "f", "TOKEN", "hmac:…", "`", "'").Replace(value)
	if runes := []rune(value); len(runes) > 100 {
		value = string(runes[:99]) + "…"
	}
	return "`" + escape(value) + "`"
}
