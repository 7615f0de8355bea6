package rego

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// answer is what one package said, in the shapes of the contract.
type answer struct {
	pkg         string // "" when nobody was asked
	enforcement string
	from        time.Time         // when it becomes mandatory; zero: it is, or never will be
	rules       map[string]string // what of the package's result it is about: the rule, by its name there
	err         error             // the package is broken: its answer counts only where it stops
	took        time.Duration
	printed     []string
	labels      []map[string]any
	size        int // of what it said, in bytes

	steers         bool // it defines `advance`
	allow, advance bool
	weight         int // 0: not said
	deny, warn     []policy.Finding
	require        []requirement
	flags          []string
	abort, pause   []policy.Finding
	actions        []policy.Action
	routes         []policy.Route
	mutes          []mute
}

// requirement is an item of require: a finding that holds, perhaps until a
// known time.
type requirement struct {
	policy.Finding
	untilNS int64
}

// mute silences an event, or one receiver of it.
type mute struct {
	policy.Finding
	receiver string
}

// answers are the empty answers of a package: its own, and one for each rule
// that counts for less now.
func (k *pkg) answers(now time.Time) []answer {
	own := answer{pkg: k.name, enforcement: k.terms.at(now), from: k.terms.pending(now), rules: map[string]string{}, steers: slices.Contains(k.rules, "advance")}
	for _, r := range k.rules {
		own.rules[r] = r
	}
	out := []answer{own}
	for _, g := range k.gentle {
		if g.at(now) == mandatory {
			continue // it is part of the rule
		}
		both := k.terms.and(g.terms)
		out = append(out, answer{pkg: k.name, enforcement: both.at(now), from: both.pending(now), rules: map[string]string{g.name: g.base}})
	}
	return out
}

// limits bound what one package may say.
type limits struct{ result, findings int }

// failure names the package in its error.
func (a answer) failure() error {
	if a.pkg == "" {
		return a.err
	}
	return fmt.Errorf("package %s: %w", a.pkg, a.err)
}

// take converts what the engine returned. What it cannot make sense of is an
// error: better closed than guessed.
func (a *answer) take(values map[string]ast.Value, f facts, most limits) error {
	var errs []error
	for _, name := range sortedKeys(a.rules) {
		value, defined := values[name]
		if !defined {
			continue
		}
		rule := a.rules[name]
		if a.size = measure(value, a.size, most.result); a.size > most.result {
			return fmt.Errorf("its result is larger than %d bytes", most.result)
		}
		if set, ok := value.(ast.Set); ok && set.Len() > most.findings {
			return fmt.Errorf("%s has %d items, more than %d", rule, set.Len(), most.findings)
		}
		if err := a.takeRule(rule, value, f); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", rule, err))
		}
	}
	return errors.Join(errs...)
}

func (a *answer) takeRule(rule string, v ast.Value, f facts) (err error) {
	switch rule {
	case "allow":
		a.allow, err = boolean(v)
	case "advance":
		a.advance, err = boolean(v)
	case "weight":
		a.weight, err = weight(v)
	case "deny":
		a.deny, err = each(v, a.finding)
	case "warn":
		a.warn, err = each(v, a.finding)
	case "abort":
		a.abort, err = each(v, a.finding)
	case "pause":
		a.pause, err = each(v, a.finding)
	case "require":
		a.require, err = each(v, a.requirement)
	case "flag":
		a.flags, err = each(v, text)
	case "action":
		a.actions, err = each(v, func(v ast.Value) (policy.Action, error) { return action(v, f) })
	case "route":
		a.routes, err = each(v, func(v ast.Value) (policy.Route, error) { return route(v, f) })
	case "mute":
		a.mutes, err = each(v, a.mute)
	}
	return err
}

// each converts the items of a set, in the engine's order, which is the order
// of their values. Good items are kept beside bad ones, so that a deny is not
// lost to a malformed neighbour.
func each[T any](v ast.Value, convert func(ast.Value) (T, error)) ([]T, error) {
	set, ok := v.(ast.Set)
	if !ok {
		return nil, fmt.Errorf("want a set, have %s", ast.ValueName(v))
	}
	var out []T
	var errs []error
	for _, item := range set.Slice() {
		got, err := convert(item.Value)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, got)
	}
	return out, errors.Join(errs...)
}

func (a *answer) finding(v ast.Value) (policy.Finding, error) {
	return a.findingOf(v, nil)
}

// findingOf reads a string or an object. extra takes the members a plain
// finding does not have.
func (a *answer) findingOf(v ast.Value, extra map[string]func(ast.Value) error) (policy.Finding, error) {
	f := policy.Finding{Package: a.pkg}
	if s, ok := v.(ast.String); ok {
		f.Code = a.pkg[strings.LastIndexByte(a.pkg, '.')+1:]
		f.Msg = string(s)
		return f, legible(f.Msg)
	}
	members := map[string]func(ast.Value) error{
		"msg":         into(&f.Msg),
		"code":        into(&f.Code),
		"resource":    into(&f.Resource),
		"path":        into(&f.Path),
		"remediation": into(&f.Remediation),
		"details": func(v ast.Value) (err error) {
			f.Details, err = ast.JSON(v)
			return err
		},
	}
	for name, read := range extra {
		members[name] = read
	}
	if err := object(v, members, "msg", "code"); err != nil {
		return f, err
	}
	if f.Msg == "" || f.Code == "" {
		return f, errors.New("msg and code must not be empty")
	}
	return f, nil
}

var requirementKinds = []string{"approval", "soak", "attestation", "check", "window", "manual"}

// requirement reads an item of require. What is asked, needed and there is
// kept in Details.
func (a *answer) requirement(v ast.Value) (requirement, error) {
	if _, plain := v.(ast.String); plain {
		return requirement{}, errors.New("want an object with kind, code and msg")
	}
	var r requirement
	var kind string
	details := map[string]any{}
	keep := func(name string) func(ast.Value) error {
		return func(v ast.Value) (err error) {
			details[name], err = ast.JSON(v)
			return err
		}
	}
	f, err := a.findingOf(v, map[string]func(ast.Value) error{
		"kind": into(&kind), "need": keep("need"), "have": keep("have"), "details": keep("details"),
		"until_ns": whole(&r.untilNS),
	})
	if err == nil && !slices.Contains(requirementKinds, kind) {
		err = fmt.Errorf("kind is %q, want %s", kind, strings.Join(requirementKinds, ", "))
	}
	details["kind"] = kind
	if r.untilNS != 0 {
		details["until_ns"] = r.untilNS
	}
	f.Details = details
	r.Finding = f
	return r, err
}

func (a *answer) mute(v ast.Value) (mute, error) {
	var m mute
	var err error
	m.Finding, err = a.findingOf(v, map[string]func(ast.Value) error{"receiver": into(&m.receiver)})
	return m, err
}

// doing ranks the responses to drift: the highest wins.
var doing = []string{"ignore", "revert", "propose", "alert", "hold"}

func action(v ast.Value, f facts) (policy.Action, error) {
	var a policy.Action
	err := object(v, map[string]func(ast.Value) error{
		"item": into(&a.Item), "do": into(&a.Do), "reason": into(&a.Reason), "until_ns": whole(&a.UntilNS),
	}, "item", "do")
	switch {
	case err != nil:
		return a, err
	case !slices.Contains(doing, a.Do):
		return a, fmt.Errorf("do is %q, want %s", a.Do, strings.Join(doing, ", "))
	case !slices.ContainsFunc(f.Items, func(i policy.DriftItem) bool { return i.ID == a.Item }):
		return a, fmt.Errorf("there is no item %q", a.Item)
	}
	return a, nil
}

func route(v ast.Value, f facts) (policy.Route, error) {
	var r policy.Route
	err := object(v, map[string]func(ast.Value) error{
		"receiver": into(&r.Receiver), "severity": into(&r.Severity), "group_by": into(&r.GroupBy),
	}, "receiver")
	switch {
	case err != nil:
	case !slices.Contains(f.Receivers, r.Receiver):
		err = fmt.Errorf("there is no receiver %q", r.Receiver)
	case r.Severity != "" && !slices.Contains(policy.Severities(), r.Severity):
		err = fmt.Errorf("severity is %q, want %s", r.Severity, strings.Join(policy.Severities(), ", "))
	case r.GroupBy != "" && !slices.Contains(policy.Groupings(), r.GroupBy):
		err = fmt.Errorf("group_by is %q, want %s", r.GroupBy, strings.Join(policy.Groupings(), ", "))
	}
	return r, err
}

func compareFindings(a, b policy.Finding) int {
	return cmp.Or(
		cmp.Compare(slices.Index(levels, a.Level), slices.Index(levels, b.Level)),
		cmp.Compare(a.Package, b.Package), cmp.Compare(a.Code, b.Code),
		cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Msg, b.Msg),
	)
}

// legible refuses text that would not survive JSON unchanged.
func legible(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("text is not UTF-8")
	}
	return nil
}
