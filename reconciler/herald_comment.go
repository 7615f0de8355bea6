package reconciler

import (
	"encoding/json"
	"fmt"
	"strings"

	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
)

// ofFork marks a plan of what strangers wrote.
const ofFork = "**This comes from a fork.** It is shown as a plan and does nothing: policies and settings are this repository's, code was not read, " +
	"what only the fork names was not looked up, sensitive values are hidden, and reviews here approve nothing in Mooring.\n\n"

// What a comment shows at most; the rest is counted.
const maxShownSteps, maxShownFields, maxShownFindings = 60, 12, 50

// commentText is a plan for people on a pull request, in the Markdown that all
// hosts have in common. Whatever comes from manifests or policies stands in
// code spans: it formats nothing and calls nobody. Sensitive values are tokens
// already.
func commentText(pl planned, r sources.PullRequest, page string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Mooring: %s\n\n", code1(r.Base))
	if r.Foreign {
		b.WriteString(ofFork)
	}
	fmt.Fprintf(&b, "What %s would bring", code1(short(r.Commit)))
	if pl.fault != "" {
		fmt.Fprintf(&b, " is not known:\n\n%s\n", codeBlock(pl.fault))
		return b.String()
	}
	p := pl.plan
	fmt.Fprintf(&b, ": **%s**, content %s.\n", p.Outcome, code1(short(p.Content)))
	writeFindings(&b, p)
	writeSteps(&b, p)
	if page != "" {
		fmt.Fprintf(&b, "\n[%s in Mooring](%s)\n", p.Environment, page)
	}
	return b.String()
}

func writeFindings(b *strings.Builder, p web.Plan) {
	if n := len(p.Decision.Findings); n > 0 {
		fmt.Fprintf(b, "\nPolicy: **%s**\n\n", p.Decision.Outcome)
		for _, f := range p.Decision.Findings[:min(n, maxShownFindings)] {
			fmt.Fprintf(b, "- %s", code1(f.Code))
			if f.Resource != "" {
				fmt.Fprintf(b, " %s", code1(f.Resource))
			}
			fmt.Fprintf(b, ": %s\n", code1(f.Msg))
		}
		if n > maxShownFindings {
			fmt.Fprintf(b, "- and %d more\n", n-maxShownFindings)
		}
	}
	if len(p.Holds) > 0 {
		b.WriteString("\nHolds:\n\n")
		for _, h := range p.Holds[:min(len(p.Holds), maxShownFindings)] {
			fmt.Fprintf(b, "- %s: %s\n", code1(h.Kind), code1(h.Reason))
		}
	}
}

func writeSteps(b *strings.Builder, p web.Plan) {
	if len(p.Steps) == 0 {
		b.WriteString("\nNothing changes.\n")
		return
	}
	fmt.Fprintf(b, "\nChanges: %d\n\n", len(p.Steps))
	for _, s := range p.Steps[:min(len(p.Steps), maxShownSteps)] {
		fmt.Fprintf(b, "- %s %s\n", s.Operation, code1(s.Resource))
		for _, f := range s.Fields[:min(len(s.Fields), maxShownFields)] {
			fmt.Fprintf(b, "    - %s: %s → %s\n", code1(f.Path), code1(shown(f.Before)), code1(shown(f.After)))
		}
		if more := len(s.Fields) - maxShownFields; more > 0 {
			fmt.Fprintf(b, "    - and %d more fields\n", more)
		}
	}
	if more := len(p.Steps) - maxShownSteps; more > 0 {
		fmt.Fprintf(b, "- and %d more; `mooring plan --environment %s` shows all\n", more, p.Environment)
	}
}

// shown is a JSON value as people read it.
func shown(v any) string {
	if v == nil {
		return "(none)"
	}
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "(unreadable)"
	}
	return string(text)
}

// maxSpan is the longest text in a code span.
const maxSpan = 300

// code1 is text in a code span of one line, which nothing in it can end.
func code1(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "'")), " ")
	if len(text) > maxSpan {
		text = strings.ToValidUTF8(text[:maxSpan], "") + "…"
	}
	if text == "" {
		text = "-"
	}
	return "`" + text + "`"
}

// codeBlock is text of several lines, each in a span of its own.
func codeBlock(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && len(lines) < maxShownFindings {
			lines = append(lines, "- "+code1(line))
		}
	}
	return strings.Join(lines, "\n")
}
