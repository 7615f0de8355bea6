package main

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	tableGap   = 2  // spaces between columns
	tableLeast = 24 // characters below which a column of words is no column
	tableBelow = 4  // spaces before what goes on below its line
	tableTight = 10 // characters to which a column is narrowed at most
)

// layout lays out lines whose cells end with tabs, as text/tabwriter does. It
// knows what that does not: colours take no room, and a terminal has an end,
// where words go on below instead of anywhere.
type layout struct {
	out   io.Writer
	width int // of the terminal, in characters; 0 where there is none
	text  bytes.Buffer
}

// Write implements io.Writer; nothing is laid out before Flush.
func (t *layout) Write(p []byte) (int, error) { return t.text.Write(p) }

// Flush lays out what was written.
func (t *layout) Flush() error {
	var lines [][]string
	if t.text.Len() > 0 {
		for line := range strings.SplitSeq(strings.TrimSuffix(t.text.String(), "\n"), "\n") {
			lines = append(lines, strings.Split(line, "\t"))
		}
	}
	t.text.Reset()
	var out strings.Builder
	for len(lines) > 0 {
		n := 1
		for len(lines[0]) > 1 && n < len(lines) && len(lines[n]) > 1 {
			n++
		}
		for _, line := range t.block(lines[:n]) {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
		}
		lines = lines[n:]
	}
	_, err := io.WriteString(t.out, out.String())
	return err
}

// block is one table, or one line that is none.
func (t *layout) block(rows [][]string) (lines []string) {
	widths := columns(rows)
	fixed, whole := 0, 0 // how far the words begin, and the longest line is
	for i, cells := range rows {
		start := 0
		for _, w := range widths[i] {
			start += w
		}
		fixed, whole = max(fixed, start), max(whole, start+visible(cells[len(cells)-1]))
	}
	if t.width > 0 && fixed > t.width {
		if narrow := t.narrowed(rows); narrow != nil {
			return narrow
		}
	}
	for i, cells := range rows {
		var line strings.Builder
		for c, w := range widths[i] {
			line.WriteString(cells[c] + strings.Repeat(" ", w-visible(cells[c])))
		}
		last := cells[len(cells)-1]
		switch {
		case t.width == 0 || whole <= t.width:
			lines = append(lines, line.String()+last)
		case len(cells) == 1:
			lines = append(lines, wrap("", last, t.width, leading(last)+tableGap)...)
		case fixed+tableLeast <= t.width:
			lines = append(lines, wrap(line.String(), last, t.width, visible(line.String()))...)
		case fixed <= t.width && visible(line.String())+visible(last) <= t.width:
			lines = append(lines, line.String()+last)
		case fixed <= t.width:
			lines = append(lines, line.String())
			lines = append(lines, wrap(strings.Repeat(" ", tableBelow), last, t.width, tableBelow)...)
		default:
			lines = append(lines, t.stacked(cells)...)
		}
	}
	return lines
}

// narrowed is a table whose columns are too wide together: in each of them words
// go on below themselves. The first, which names the row, stays as it is. nil where
// there is no room for that, or the rows have not the same columns.
func (t *layout) narrowed(rows [][]string) (lines []string) {
	widths := t.narrow(rows)
	if widths == nil {
		return nil
	}
	for _, cells := range rows {
		var parts [][]string
		deep := 0
		for c, cell := range cells {
			parts = append(parts, wrap("", cell, widths[c], 0))
			deep = max(deep, len(parts[c]))
		}
		for at := range deep {
			var line strings.Builder
			for c, part := range parts {
				text := ""
				if at < len(part) {
					text = part[at]
				}
				line.WriteString(text + strings.Repeat(" ", widths[c]-visible(text)+tableGap))
			}
			lines = append(lines, line.String())
		}
	}
	return lines
}

// narrow shares a terminal's width among columns: as few words are broken as can
// be, and what is left goes to the column whose cells are the deepest.
func (t *layout) narrow(rows [][]string) []int {
	n := len(rows[0])
	whole, longest, stiff := make([]int, n), make([]int, n), make([]int, n)
	for _, cells := range rows {
		if len(cells) != n {
			return nil
		}
		for c, cell := range cells {
			whole[c] = max(whole[c], visible(cell))
			for word := range strings.FieldsSeq(cell) {
				longest[c] = max(longest[c], visible(word))
				if strings.Contains(word, "\x1b") { // a colour is not broken
					stiff[c] = max(stiff[c], visible(word))
				}
			}
		}
	}
	stiff[0] = whole[0]
	widths, left := make([]int, n), 0
	for most := max(slices.Max(longest), tableTight); ; most-- {
		if most < tableTight {
			return nil
		}
		left = t.width - tableGap*(n-1)
		for c := range widths {
			widths[c] = max(min(longest[c], most), min(whole[c], tableTight), stiff[c])
			left -= widths[c]
		}
		if left >= 0 {
			break
		}
	}
	for ; left > 0; left-- {
		deepest := -1
		for c := range widths {
			if widths[c] < whole[c] && (deepest < 0 || whole[c]*widths[deepest] > whole[deepest]*widths[c]) {
				deepest = c
			}
		}
		if deepest < 0 {
			break
		}
		widths[deepest]++
	}
	return widths
}

// stacked is a row where there is no room for columns.
func (t *layout) stacked(cells []string) []string {
	var said []string
	for _, cell := range cells {
		if cell = strings.TrimSpace(cell); cell != "" {
			said = append(said, cell)
		}
	}
	indent := ""
	if cells[0] == "" {
		indent = strings.Repeat(" ", tableGap)
	}
	return wrap(indent, strings.Join(said, "  "), t.width, len(indent)+tableGap)
}

// columns are the widths of each row's cells but the last. A column goes on as
// long as the rows below have it too.
func columns(rows [][]string) [][]int {
	widths := make([][]int, len(rows))
	for i, cells := range rows {
		widths[i] = make([]int, len(cells)-1)
	}
	for i := range rows {
		for c := range widths[i] {
			if i > 0 && c < len(widths[i-1]) {
				continue // measured with the row above
			}
			end, most := i, 0
			for ; end < len(rows) && c < len(widths[end]); end++ {
				most = max(most, visible(rows[end][c])+tableGap)
			}
			for j := i; j < end; j++ {
				widths[j][c] = most
			}
		}
	}
	return widths
}

// wrap is text after head, in lines of at most width characters; all but the
// first begin with an indent. A word that is longer than a line is broken.
func wrap(head, text string, width, indent int) (lines []string) {
	indent = min(indent, width/2)
	line, empty := head, true
	for i, word := range strings.Split(text, " ") {
		gap := " "
		if i == 0 || empty && len(lines) > 0 {
			gap = ""
		}
		if visible(line)+len(gap)+visible(word) > width && !empty {
			lines = append(lines, line)
			line, gap, empty = strings.Repeat(" ", indent), "", true
		}
		for visible(line)+len(gap)+visible(word) > width && !strings.Contains(word, "\x1b") {
			room := max(1, width-visible(line)-len(gap))
			runes := []rune(word)
			lines = append(lines, line+gap+string(runes[:room]))
			line, gap, word = strings.Repeat(" ", indent), "", string(runes[room:])
		}
		line, empty = line+gap+word, empty && word == ""
	}
	return append(lines, line)
}

func leading(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// visible is how many characters of text a terminal shows.
func visible(text string) int {
	if strings.Contains(text, "\x1b") {
		text = colours.ReplaceAllString(text, "")
	}
	return utf8.RuneCountInString(text)
}
