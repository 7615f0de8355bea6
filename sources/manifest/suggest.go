package manifest

import (
	"slices"
	"strconv"
	"strings"
)

func quote(s string) string { return strconv.Quote(shorten(s)) }

func itoa(i int) string { return strconv.Itoa(i) }

// shorten keeps what a message quotes readable.
func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// DidYouMean is "; did you mean NAME?" where one of the known names is near
// enough to what was typed, and "" otherwise.
func DidYouMean(got string, known []string) string {
	if hint := didYouMean(got, known); strings.HasPrefix(hint, "did you mean") {
		return "; " + hint
	}
	return ""
}

// didYouMean suggests the nearest of known, or lists them when there are few.
func didYouMean(got string, known []string) string {
	best, distance := "", 1+max(1, len(got)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(got), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	if len(known) == 0 || len(known) > 12 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(known))
	return "one of " + strings.Join(sorted, ", ")
}

// editDistance counts the letters to insert, delete, replace or swap with
// their neighbour. Long strings are simply far apart.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
