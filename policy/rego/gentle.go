package rego

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"mooring.dev/policy"
)

// Levels of enforcement.
const (
	mandatory = "mandatory" // the default
	advisory  = "advisory"  // its findings are warnings, and it allows nothing
	dryRun    = "dry_run"   // it is only recorded
)

// enforcements are the levels, from the strictest on.
var enforcements = []string{mandatory, advisory, dryRun}

// terms say how far a package, or one rule of it, counts, and from when on.
type terms struct {
	level string    // "" is mandatory
	from  time.Time // before it the level is advisory at most; zero: at once
}

// termsOf reads `custom.enforcement` and `custom.effective_on` of annotations.
func termsOf(custom map[string]any) (terms, error) {
	t := terms{level: mandatory}
	if v, ok := custom["enforcement"]; ok {
		t.level, _ = v.(string)
		if !slices.Contains(enforcements, t.level) {
			return t, fmt.Errorf("custom.enforcement is %v, want %s", v, strings.Join(enforcements, ", "))
		}
	}
	switch v := custom["effective_on"].(type) {
	case nil:
		if _, there := custom["effective_on"]; there {
			return t, fmt.Errorf("custom.effective_on is empty, want a date such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z")
		}
	case time.Time: // YAML's own
		t.from = v.UTC()
	default:
		var err error
		if t.from, err = dateOf(fmt.Sprint(v)); err != nil {
			return t, fmt.Errorf("custom.effective_on is %q, want a date such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z", v)
		}
	}
	return t, nil
}

// dateOf reads a time, or a date, which begins at midnight UTC.
func dateOf(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at.UTC(), err
}

// at is the level at a time.
func (t terms) at(now time.Time) string {
	if t.level == mandatory && now.Before(t.from) {
		return advisory
	}
	return t.level
}

// and is the gentler of two terms in everything.
func (t terms) and(o terms) terms {
	if slices.Index(enforcements, o.level) > slices.Index(enforcements, t.level) {
		t.level = o.level
	}
	if o.from.After(t.from) {
		t.from = o.from
	}
	return t
}

// pending is when t becomes stricter; zero if it does not after now.
func (t terms) pending(now time.Time) time.Time {
	if t.level == mandatory && now.Before(t.from) {
		return t.from
	}
	return time.Time{}
}

func mentionsTerms(custom map[string]any) bool {
	_, level := custom["enforcement"]
	_, from := custom["effective_on"]
	return level || from
}

// gentlePrefix begins the names of rules that do not count like the rest of
// their package. No author's rule may begin like that.
const gentlePrefix = "__mooring"

// gentleRule is a rule of a point, under a name of its own: deny of a package
// consists of the denies that count now.
type gentleRule struct {
	name string // __mooring2_deny
	base string // deny
	terms
}

// soften gives the rules with terms of their own another name, and the rules
// they were part of a clause that takes them in while they count. So whatever
// in the package reads `deny` sees what counts, and the rest can be told as
// warnings. It changes the modules.
func soften(modules map[string]*ast.Module, fs *faults) {
	s := softener{faults: fs, packages: map[string]terms{}, names: map[string]string{}}
	files := slices.Sorted(maps.Keys(modules))
	for _, file := range files {
		s.packageTerms(modules[file])
	}
	for _, file := range files {
		if p, ok := placeOf(modules[file].Package); ok && !p.lib {
			s.module(p, modules[file])
		}
	}
}

type softener struct {
	*faults
	packages map[string]terms
	names    map[string]string // of gentle rules, by package, base and terms
}

// packageTerms notes what a package says of itself, and refuses what would be
// said to no effect.
func (s *softener) packageTerms(m *ast.Module) {
	p, _ := placeOf(m.Package)
	for _, a := range m.Annotations {
		if !mentionsTerms(a.Custom) {
			continue
		}
		t, err := termsOf(a.Custom)
		switch {
		case err != nil:
			s.at(a.Location, "annotation", "%v", err)
		case p.lib || a.Scope == "subpackages":
			s.at(a.Location, "annotation", "custom.enforcement and custom.effective_on have no effect here: they belong to a package that decides, or to one of its rules")
		case a.Scope == "package":
			s.packages[p.name] = t
		}
	}
}

func (s *softener) module(p place, m *ast.Module) {
	var bridges []*ast.Rule
	for _, rule := range m.Rules {
		if strings.HasPrefix(string(rule.Head.Name), gentlePrefix) {
			s.at(rule.Location, "rule_name", "names that begin with %s are Mooring's own", gentlePrefix)
			continue
		}
		t, said := s.ruleTerms(p, rule)
		if !said {
			continue
		}
		g := gentleRule{base: string(rule.Head.Name), terms: t}
		key := fmt.Sprint(p.name, " ", g.base, " ", t.level, " ", t.from.UnixNano())
		if s.names[key] == "" {
			s.names[key] = fmt.Sprintf("%s%d_%s", gentlePrefix, len(s.names)+1, g.base)
			g.name = s.names[key]
			bridges = append(bridges, g.bridge(ruleNames[p.point][g.base], m))
		}
		rename(rule, s.names[key])
	}
	m.Rules = append(m.Rules, bridges...)
}

// ruleTerms are a rule's own terms; said is false where it counts like the
// package.
func (s *softener) ruleTerms(p place, rule *ast.Rule) (t terms, said bool) {
	t = terms{level: mandatory}
	for _, a := range rule.Annotations {
		if !mentionsTerms(a.Custom) {
			continue
		}
		own, err := termsOf(a.Custom)
		if err != nil {
			return t, false // told already
		}
		t, said = t.and(own), true
	}
	whole := s.packages[p.name]
	switch {
	case !said:
		return t, false
	case !hasRule(p.point, string(rule.Head.Name)):
		s.at(rule.Location, "annotation", "custom.enforcement and custom.effective_on have no effect on a helper: put them on a rule of the point, or on the package")
	case rule.Default:
		s.at(rule.Location, "annotation", "custom.enforcement and custom.effective_on have no effect on a default: put them on the rules themselves")
	case slices.Index(enforcements, whole.level) > slices.Index(enforcements, t.level):
		s.at(rule.Location, "annotation", "a rule can be gentler than its package, not stricter: the package is %s; move the rule to another package", whole.level)
	case t.level == mandatory && t.from.IsZero():
	default:
		return t, true
	}
	return t, false
}

// bridge takes a gentle rule into the rule it was part of, while it counts.
func (g gentleRule) bridge(shape ruleShape, m *ast.Module) *ast.Rule {
	counts := "false"
	if g.level == mandatory {
		counts = fmt.Sprintf("input.request.time_ns >= %d", g.from.UnixNano())
	}
	text := fmt.Sprintf("package bridge\n\n%s := x if {\n\t%s\n\tx := %s\n}\n", g.base, counts, g.name)
	if shape == setRule {
		text = fmt.Sprintf("package bridge\n\n%s contains x if {\n\t%s\n\tsome x in %s\n}\n", g.base, counts, g.name)
	}
	rule := ast.MustParseModuleWithOpts(text, ast.ParserOptions{RegoVersion: ast.RegoV1}).Rules[0]
	rule.Module = m
	ast.WalkNodes(rule, func(n ast.Node) bool {
		if loc := n.Loc(); loc != nil {
			loc.File = libraryPrefix + "effective_on"
		}
		return false
	})
	return rule
}

func rename(rule *ast.Rule, name string) {
	for ; rule != nil; rule = rule.Else {
		ref := rule.Head.Ref().Copy()
		ref[0] = &ast.Term{Value: ast.Var(name), Location: ref[0].Location}
		rule.Head.SetRef(ref)
		rule.Head.Name = ast.Var(name)
	}
}

// gentleOf reads a rule's name and annotations back.
func gentleOf(rule *ast.Rule) (gentleRule, bool) {
	name := string(rule.Head.Name)
	if !strings.HasPrefix(name, gentlePrefix) {
		return gentleRule{}, false
	}
	_, base, _ := strings.Cut(name[len(gentlePrefix):], "_")
	g := gentleRule{name: name, base: base, terms: terms{level: mandatory}}
	for _, a := range rule.Annotations {
		if t, err := termsOf(a.Custom); err == nil {
			g.terms = g.and(t)
		}
	}
	return g, true
}

// packageTermsOf are the terms of a whole package.
func packageTermsOf(c *ast.Compiler, p *ast.Package) (terms, error) {
	a := c.GetAnnotationSet().GetPackageScope(p)
	if a == nil {
		return terms{level: mandatory}, nil
	}
	return termsOf(a.Custom)
}

// dated says in a finding's own text from when on it counts.
func (a answer) dated(f policy.Finding) policy.Finding {
	if !a.from.IsZero() {
		f.Msg += " (a warning until " + a.from.Format(time.RFC3339) + ")"
	}
	return f
}
