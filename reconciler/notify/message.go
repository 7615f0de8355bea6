package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Words is an event as plain text: what it is, what is known, and links to
// where something can be done.
func Words(e Event) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", Headline(e))
	if len(e.Facts) == 0 && e.Text != "" {
		fmt.Fprintf(&text, "\n%s\n", e.Text)
	}
	for i, f := range e.Facts {
		if i == 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "%s: %s\n", f.Name, f.Value)
	}
	for i, a := range linksOf(e) {
		if i == 0 {
			text.WriteString("\n")
		}
		fmt.Fprintf(&text, "%s: %s\n", a.Name, a.Link)
	}
	return text.String()
}

// Headline is an event in one line that tells what fires from what is over.
func Headline(e Event) string {
	word := strings.ToUpper(cmp.Or(e.Severity, "alert"))
	if e.Status != Firing {
		word = "RESOLVED"
	}
	return fmt.Sprintf("[%s] %s", word, cmp.Or(e.Title, e.Kind))
}

// digestSize is how large a digest may be: so many lines, and so many bytes of
// them.
type digestSize struct{ lines, bytes int }

// lineMost is the most bytes of an event's line in a digest.
const lineMost = 300

// digest is many events in one line, and one line for each of them, the worst
// first; what there is no room for is only counted.
func digest(events []Event, most digestSize) (title string, lines []string) {
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
	title = cut(fmt.Sprintf("%d alerts, %d of them firing: %s", len(events), firing, strings.Join(kinds, ", ")), titleMost)
	room := most.bytes - lineMost // for what counts the rest
	for i, e := range sorted {
		line := cut(Headline(e), lineMost)
		if room -= len(line) + 1; i == most.lines || room < 0 {
			lines = append(lines, fmt.Sprintf("and %d more", len(sorted)-i))
			break
		}
		lines = append(lines, line)
	}
	return title, lines
}

// linksMost is how many links a digest has.
const linksMost = 6

// looks are where many events lead to: a page for each environment.
func looks(events []Event) []Action {
	var out []Action
	seen := map[string]bool{}
	for _, e := range events {
		if e.Link == "" || len(e.Link) > linkMost || seen[e.Link] || len(out) == linksMost {
			continue
		}
		seen[e.Link] = true
		out = append(out, Action{Name: strings.TrimSpace("look " + cut(e.Environment, nameMost)), Link: e.Link})
	}
	return out
}

// Summary is many events as one, for a receiver that takes no list. Its
// fingerprint is of this message alone: nothing resolves it.
func Summary(events []Event) Event {
	const lines, bytes = 30, 8 << 10
	title, text := digest(events, digestSize{lines, bytes})
	id := groupKey(events)
	out := Event{ID: id, Fingerprint: id, Status: Resolved, Kind: "group", Severity: worst(events), Title: title, Text: strings.Join(text, "\n"),
		At: events[len(events)-1].At, Actions: looks(events)}
	if out.Severity != "" {
		out.Status = Firing
	} else {
		out.Severity = events[0].Severity
	}
	if all := func(e Event) bool { return e.Environment != events[0].Environment }; !slices.ContainsFunc(events, all) {
		out.Environment = events[0].Environment
	}
	return out
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
