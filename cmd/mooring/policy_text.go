package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// decisionText is a decision for people: the outcome, then what each package
// found.
func decisionText(w io.Writer, d policy.Decision) {
	fmt.Fprintf(w, "%s: %s%s\n", d.Point, colour(outcomeColour(d.Outcome), string(d.Outcome)), byDefaultText(d))
	if d.RecheckNS > 0 {
		fmt.Fprintf(w, "asked again at %s\n", time.Unix(0, d.RecheckNS).UTC().Format(time.RFC3339))
	}
	for _, name := range packagesOf(d.Findings) {
		fmt.Fprintln(w, cmp.Or(name, "Mooring itself"))
		for _, f := range d.Findings {
			if f.Package == name {
				findingText(w, f)
			}
		}
	}
	if len(d.Flags) > 0 {
		fmt.Fprintf(w, "flags: %s\n", strings.Join(d.Flags, ", "))
	}
	for _, a := range d.Actions {
		fmt.Fprintf(w, "  %s: %s%s\n", a.Item, a.Do, because(a.Reason))
	}
	for _, r := range d.Routes {
		fmt.Fprintf(w, "  to %s\n", r.Receiver)
	}
	if d.Muted {
		fmt.Fprintln(w, "  muted: nobody is told")
	}
	if d.WeightCap > 0 {
		fmt.Fprintf(w, "  at most %d%% of traffic\n", d.WeightCap)
	}
}

func byDefaultText(d policy.Decision) string {
	if d.Default {
		return ", by default: no package decided"
	}
	return ""
}

func outcomeColour(o policy.Outcome) string {
	switch o {
	case policy.Allow:
		return "32"
	case policy.Hold:
		return "33"
	}
	return "31"
}

func packagesOf(findings []policy.Finding) []string {
	var names []string
	for _, f := range findings {
		if !slices.Contains(names, f.Package) {
			names = append(names, f.Package)
		}
	}
	return names
}

func findingText(w io.Writer, f policy.Finding) {
	fmt.Fprintf(w, "  %s %s: %s\n", f.Level, f.Code, f.Msg)
	if details, ok := f.Details.(map[string]any); ok && details["need"] != nil {
		fmt.Fprintf(w, "    needs %s, has %s\n", jsonText(details["need"]), jsonText(details["have"]))
	}
	if f.Remediation != "" {
		fmt.Fprintf(w, "    what to do: %s\n", f.Remediation)
	}
}

// explainedText is one package's rules as a tree.
func explainedText(w io.Writer, x rego.Explained) {
	fmt.Fprintf(w, "\n%s", x.Package)
	if x.Enforcement != "mandatory" {
		fmt.Fprintf(w, " (%s)", x.Enforcement)
	}
	fmt.Fprintln(w)
	if x.Error != "" {
		fmt.Fprintf(w, "  error: %s\n", x.Error)
	}
	for _, c := range x.Rules {
		mark, how := colour("31", "-"), "not true"
		if c.Fired > 0 {
			mark, how = colour("32", "+"), "true"
		}
		if c.Fired > 1 {
			how = fmt.Sprintf("true %d times", c.Fired)
		}
		fmt.Fprintf(w, "  %s %s: %s (%s:%d)\n", mark, c.Rule, how, c.File, c.Line)
		for i, values := range c.Values {
			if i > 0 {
				fmt.Fprintln(w, "      and")
			}
			valueLines(w, "      ", values)
		}
		reasonTree(w, "      ", c.Why)
	}
}

// reasonTree writes what made a rule true or kept it from being so, the
// furthest cause innermost.
func reasonTree(w io.Writer, indent string, reasons []rego.Reason) {
	for _, r := range reasons {
		word := "stopped at"
		if r.True {
			word = "because of"
		}
		fmt.Fprintf(w, "%s%s %s (%s:%d)\n", indent, word, r.Expr, r.File, r.Line)
		valueLines(w, indent+"  ", r.Values)
		reasonTree(w, indent+"  ", r.Why)
	}
}

func valueLines(w io.Writer, indent string, values []rego.Value) {
	for _, v := range values {
		fmt.Fprintf(w, "%s%s = %s\n", indent, v.Name, v.Value)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
