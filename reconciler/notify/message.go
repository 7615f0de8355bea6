package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// headline is an event in one line.
func headline(e Event) string {
	word := strings.ToUpper(cmp.Or(e.Severity, "alert"))
	if e.Status != Firing {
		word = "RESOLVED"
	}
	return fmt.Sprintf("[%s] %s", word, cmp.Or(e.Title, e.Kind))
}

// digest is many events in one line, and one line for each of them, the worst
// first; what is beyond most lines is only counted.
func digest(events []Event, most int) (title string, lines []string) {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b Event) int {
		if a.Status != b.Status {
			return cmp.Compare(a.Status, b.Status) // firing before resolved
		}
		return cmp.Compare(rank(b.Severity), rank(a.Severity))
	})
	firing, counts := 0, map[string]int{}
	var kinds []string
	for _, e := range sorted {
		if e.Status == Firing {
			firing++
		}
		kind := strings.TrimSpace(e.Environment + " " + e.Kind)
		if counts[kind]++; counts[kind] == 1 {
			kinds = append(kinds, kind)
		}
	}
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%s %d", kind, counts[kind])
	}
	title = fmt.Sprintf("%d alerts, %d of them firing: %s", len(events), firing, strings.Join(kinds, ", "))
	for i, e := range sorted {
		if i == most {
			lines = append(lines, fmt.Sprintf("and %d more", len(sorted)-most))
			break
		}
		lines = append(lines, headline(e))
	}
	return title, lines
}

// worst is the severity of what fires, or "" when nothing does.
func worst(events []Event) (severity string) {
	for _, e := range events {
		if e.Status == Firing && (severity == "" || rank(e.Severity) > rank(severity)) {
			severity = cmp.Or(e.Severity, "critical")
		}
	}
	return severity
}

// colour of a severity, as #rrggbb; of "" it is the one of good news.
func colour(severity string) string {
	switch severity {
	case "":
		return "#2e7d32"
	case "low":
		return "#5f6b7a"
	case "medium":
		return "#b26a00"
	}
	return "#c62828"
}

// cut shortens text to at most so many bytes, between two characters, and
// shows that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const sign = "…"
	end := max(0, most-len(sign))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + sign
}
