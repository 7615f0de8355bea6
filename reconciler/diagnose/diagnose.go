// Package diagnose judges what was gathered about an installation: each check
// has a result, what was found, and what to do about it. It is pure; it
// refuses to gather, to try, and to repair.
package diagnose

import (
	"fmt"
	"strings"
)

// Result of a check. The zero Result is no result, and counts as a fault.
type Result string

// Results, from good to bad; Skipped is neither.
const (
	OK      Result = "ok"
	Skipped Result = "skipped"
	Warning Result = "warning"
	Fault   Result = "fault"
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Scope  string `json:"scope"` // an environment, a receiver; "" for the whole
	Result Result `json:"result"`
	Found  string `json:"found"` // for Skipped, the reason
	Remedy string `json:"remedy"`
	// Command does what Remedy says, for a shell; "" where it takes a person.
	// Remedy ends with it.
	Command string `json:"command"`
}

// by is the check with the command that its remedy comes down to.
func (c Check) by(command string) Check {
	if command == "" {
		return c
	}
	c.Remedy, c.Command = c.Remedy+": `"+command+"`", command
	return c
}

// Words are the remedy without its command.
func (c Check) Words() string { return strings.TrimSuffix(c.Remedy, ": `"+c.Command+"`") }

// Report is all checks, and the gravest of them.
type Report struct {
	Outcome Result  `json:"outcome"` // OK, Warning or Fault
	Checks  []Check `json:"checks"`
}

// Summarise makes a report.
func Summarise(checks []Check) Report {
	r := Report{Outcome: OK, Checks: []Check{}}
	for _, c := range checks {
		r.Checks = append(r.Checks, c)
		switch c.Result {
		case OK, Skipped:
		case Warning:
			if r.Outcome == OK {
				r.Outcome = Warning
			}
		default:
			r.Outcome = Fault
		}
	}
	return r
}

// subject is what a check is about.
type subject struct{ name, scope string }

func (s subject) ok(format string, args ...any) Check {
	return Check{Name: s.name, Scope: s.scope, Result: OK, Found: fmt.Sprintf(format, args...)}
}

func (s subject) skipped(format string, args ...any) Check {
	return Check{Name: s.name, Scope: s.scope, Result: Skipped, Found: fmt.Sprintf(format, args...)}
}

func (s subject) warning(remedy, format string, args ...any) Check {
	return Check{Name: s.name, Scope: s.scope, Result: Warning, Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

func (s subject) fault(remedy, format string, args ...any) Check {
	return Check{Name: s.name, Scope: s.scope, Result: Fault, Found: fmt.Sprintf(format, args...), Remedy: remedy}
}

// counted is so many of a thing: 1 zone, 2 zones.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// shown is how many of a list are named.
const shown = 5

// some names the first of a list, and how many more there are.
func some(list []string, sep string) string {
	if len(list) <= shown {
		return strings.Join(list, sep)
	}
	return fmt.Sprintf("%s%sand %d more", strings.Join(list[:shown], sep), sep, len(list)-shown)
}
