package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"pgregory.net/rapid"
)

// cells are what tables are made of: short words, numbers, nothing, and texts.
var cells = rapid.OneOf(
	rapid.Just(""), rapid.StringMatching(`[a-zé]{1,12}`), rapid.StringMatching(`[0-9a-f]{12,40}`),
	rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.StringMatching(`[a-zé/]{1,20}`), 1, 15).Draw(t, "words"), " ")
	}),
)

// tableText is some text of rows and lines, each cell in colour or not.
func tableText(t *rapid.T) (plain, coloured string) {
	for range rapid.IntRange(0, 6).Draw(t, "rows") {
		for i := range rapid.IntRange(1, 7).Draw(t, "cells") {
			cell := cells.Draw(t, "cell")
			if i > 0 {
				plain, coloured = plain+"\t", coloured+"\t"
			}
			plain += cell
			if cell != "" && !strings.Contains(cell, " ") && len(cell) < 10 && rapid.Bool().Draw(t, "colour") {
				cell = "\x1b[32m" + cell + "\x1b[0m"
			}
			coloured += cell
		}
		plain, coloured = plain+"\n", coloured+"\n"
	}
	return plain, coloured
}

func laid(t *rapid.T, text string, width int) string {
	var out bytes.Buffer
	w := layout{out: &out, width: width}
	if _, err := fmt.Fprint(&w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Where there is no terminal a table is what the standard library makes of it,
// and colours never move anything.
func TestTableIsATabwriters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, coloured := tableText(t)
		var want bytes.Buffer
		w := tabwriter.NewWriter(&want, 0, 4, tableGap, ' ', 0)
		fmt.Fprint(w, plain)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		var trimmed strings.Builder
		for line := range strings.Lines(want.String()) {
			trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		if got := laid(t, plain, 0); got != trimmed.String() {
			t.Fatalf("got\n%s\nwant\n%s", got, trimmed.String())
		}
		width := rapid.SampledFrom([]int{0, 20, 40, 80, 200}).Draw(t, "width")
		if got, want := colours.ReplaceAllString(laid(t, coloured, width), ""), laid(t, plain, width); got != want {
			t.Fatalf("in colour\n%s\nwithout\n%s", got, want)
		}
	})
}

// On a terminal no line is longer than it is wide, and nothing is left out.
func TestTableFitsItsTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, _ := tableText(t)
		width := rapid.IntRange(10, 120).Draw(t, "width")
		got := laid(t, text, width)
		for line := range strings.Lines(got) {
			if n := visible(strings.TrimSuffix(line, "\n")); n > width {
				t.Fatalf("a line of %d on a terminal of %d:\n%s", n, width, got)
			}
		}
		squeeze := func(s string) string { // columns stand beside each other
			letters := []rune(strings.Join(strings.Fields(s), ""))
			slices.Sort(letters)
			return string(letters)
		}
		if squeeze(got) != squeeze(text) {
			t.Fatalf("got\n%s\nof\n%s", got, text)
		}
	})
}

// Words go on below themselves while there is room for a column, below their
// row where there is not, and at last columns are given up.
func TestTableByWidth(t *testing.T) {
	rows := "NAME\tCOMMIT\tWHY\npreview\t0b8b62f9724c\tincident 4711 with a reason that goes on\n\thold_e77b\tshort\n"
	for width, want := range map[int]string{
		60: "NAME     COMMIT        WHY\npreview  0b8b62f9724c  incident 4711 with a reason that goes\n                       on\n         hold_e77b     short\n",
		40: "NAME     COMMIT        WHY\npreview  0b8b62f9724c\n    incident 4711 with a reason that\n    goes on\n         hold_e77b     short\n",
		22: "NAME  COMMIT  WHY\npreview  0b8b62f9724c\n  incident 4711 with a\n  reason that goes on\n  hold_e77b  short\n",
	} {
		var out bytes.Buffer
		w := layout{out: &out, width: width}
		fmt.Fprint(&w, rows)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%d wide:\n%s\nwant\n%s", width, out.String(), want)
		}
	}
}

// A table that is too wide keeps its columns as long as each has room: what a cell
// has too much goes on below it.
func TestWideTablesKeepTheirColumns(t *testing.T) {
	rows := "ITEM\tFIELD\tDECLARED → LIVE\tWHO\tRESPONSE\n" +
		"3754c966d63f\ttimeout\t3 → 7\tuser/bob by UpdateFunctionConfiguration\thold\n" +
		"d2d3fb5fa641\tenvironment.GREETING\t\"good morning\" → \"hi\"\tunknown\t\x1b[33malert\x1b[0m\n"
	for width, want := range map[int]string{
		92: `
ITEM          FIELD                 DECLARED → LIVE   WHO                           RESPONSE
3754c966d63f  timeout               3 → 7             user/bob by                   hold
                                                      UpdateFunctionConfiguration
d2d3fb5fa641  environment.GREETING  "good morning" →  unknown                       alert
                                    "hi"
`,
		66: `
ITEM          FIELD           DECLARED →  WHO             RESPONSE
                              LIVE
3754c966d63f  timeout         3 → 7       user/bob by     hold
                                          UpdateFunction
                                          Configuration
d2d3fb5fa641  environment.GR  "good       unknown         alert
              EETING          morning" →
                              "hi"
`,
		57: `
ITEM  FIELD  DECLARED → LIVE  WHO  RESPONSE
3754c966d63f  timeout  3 → 7  user/bob by
  UpdateFunctionConfiguration  hold
d2d3fb5fa641  environment.GREETING  "good morning" → "hi"
  unknown  alert
`,
	} {
		var out bytes.Buffer
		w := layout{out: &out, width: width}
		fmt.Fprint(&w, rows)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + colours.ReplaceAllString(out.String(), ""); got != want {
			t.Errorf("%d wide:%s\nwant%s", width, got, want)
		}
	}
}
