package rights

import (
	"maps"
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// Scope is where a policy holds. The zero Scope is every account, region and
// name.
type Scope struct {
	Partition string // default aws
	Region    string
	Account   string
	// Prefix is what the pipeline's physical names begin with; "" where they
	// have nothing in common.
	Prefix string
	// Resources are what is declared; nil stands for one of each kind with any
	// name.
	Resources []manifest.Resource
}

// Grant is a row in a scope.
type Grant struct {
	Kind       string // "" for what no kind has alone
	Capability Capability
	Actions    []string
	Resources  []string
	Where      Condition
	Why        string
}

// Grants are what rows of one kind grant in the scope, for some capabilities.
// Rows whose kind is "" are always in use.
func (s Scope) Grants(kind string, rows []Row, some []Capability) []Grant {
	own := s.of(kind)
	if kind != "" && s.Resources != nil && len(own) == 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(row Row) bool { return !row.Always })
	}
	var out []Grant
	for _, row := range rows {
		users := own
		if row.When != nil && s.Resources != nil {
			users = slices.DeleteFunc(slices.Clone(own), func(res manifest.Resource) bool { return !row.When(res) })
			if len(users) == 0 {
				continue
			}
		}
		if !slices.Contains(some, row.For) || len(row.Actions()) == 0 {
			continue
		}
		if resources := s.resources(row, kind, users); len(resources) > 0 {
			g := Grant{Kind: kind, Capability: row.For, Actions: row.Actions(), Resources: resources, Where: s.where(row.Where, s.names(kind)), Why: row.Why}
			if slices.Equal(resources, []string{Everything}) && g.Why == "" {
				g.Why = "AWS knows no resources for it"
			}
			out = append(out, s.bounded(row, g, own)...)
		}
	}
	return out
}

func (s Scope) of(kind string) []manifest.Resource {
	var out []manifest.Resource
	for _, res := range s.Resources {
		if res.Ref.Kind == kind {
			out = append(out, res)
		}
	}
	return out
}

// resources fills the holes of a row's ARNs.
func (s Scope) resources(row Row, kind string, users []manifest.Resource) []string {
	var out []string
	names := s.names(kind)
	if row.Of != nil && s.Resources != nil {
		var literals []string
		names, literals = s.named(row, users)
		for _, arn := range literals {
			out = append(out, s.fill(arn, nil)...)
		}
	}
	for _, arn := range row.On {
		out = append(out, s.fill(arn, names)...)
	}
	return covered(out)
}

// names are the patterns of a kind's physical names.
func (s Scope) names(kind string) []string {
	if s.Resources == nil {
		return []string{"*"}
	}
	return s.patterns(s.of(kind))
}

func (s Scope) patterns(all []manifest.Resource) []string {
	var out []string
	for _, res := range all {
		if s.Prefix != "" && strings.HasPrefix(res.Physical, s.Prefix) {
			out = append(out, s.Prefix+"*")
		} else {
			out = append(out, res.Physical)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// named is what a row's resources name: the names of what they refer to, and
// ARNs as they stand.
func (s Scope) named(row Row, users []manifest.Resource) (names, literals []string) {
	var referred []manifest.Resource
	for _, res := range users {
		for _, v := range row.Of(res) {
			if strings.HasPrefix(v.Literal, "arn:") {
				literals = append(literals, v.Literal)
			}
			for _, other := range s.Resources {
				if v.Ref != (manifest.Ref{}) && other.Ref == v.Ref {
					referred = append(referred, other)
				}
			}
		}
	}
	return s.patterns(referred), literals
}

// fill fills an ARN's holes, once for each name.
func (s Scope) fill(arn string, names []string) []string {
	arn = strings.NewReplacer(
		"{partition}", orElse(s.Partition, "aws"), "{region}", orElse(s.Region, "*"), "{account}", orElse(s.Account, "*"),
	).Replace(arn)
	hole := "{name}"
	if _, rest, other := strings.Cut(arn, "{name:"); other {
		kind, _, _ := strings.Cut(rest, "}")
		hole, names = "{name:"+kind+"}", s.names(kind)
	}
	if !strings.Contains(arn, hole) {
		return []string{arn}
	}
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, strings.ReplaceAll(arn, hole, name))
	}
	return out
}

func (s Scope) where(c Condition, names []string) Condition {
	if c == nil {
		return nil
	}
	out := Condition{}
	for operator, keys := range c {
		out[operator] = map[string][]string{}
		for key, values := range keys {
			var filled []string
			for _, v := range values {
				filled = append(filled, s.fill(v, names)...)
			}
			out[operator][key] = covered(filled)
		}
	}
	return out
}

// bounded holds the writes of roles to the boundaries the manifests set. Roles
// that set none are granted by their names.
func (s Scope) bounded(row Row, g Grant, roles []manifest.Resource) []Grant {
	if !row.Bounded && !row.Freed {
		return []Grant{g}
	}
	boundaries, free := map[string]bool{}, []string{}
	for _, res := range roles {
		if spec, ok := res.Spec.(*manifest.RoleSpec); ok && spec.PermissionsBoundary != "" {
			boundaries[spec.PermissionsBoundary] = true
			continue
		}
		for _, arn := range row.On {
			free = append(free, s.fill(arn, []string{res.Physical})...)
		}
	}
	if len(boundaries) == 0 {
		return []Grant{g}
	}
	var out []Grant
	if row.Bounded {
		behind := g
		behind.Where = Condition{"StringEquals": {"iam:PermissionsBoundary": slices.Sorted(maps.Keys(boundaries))}}
		behind.Why = "only behind the boundary the manifests set"
		out = append(out, behind)
	}
	if free = covered(free); len(free) > 0 {
		g.Resources, g.Why = free, "these roles declare no boundary"
		out = append(out, g)
	}
	return out
}

// covered sorts patterns and leaves out those that a wider one covers.
func covered(patterns []string) []string {
	patterns = slices.Clone(patterns)
	slices.Sort(patterns)
	patterns = slices.Compact(patterns)
	return slices.DeleteFunc(slices.Clone(patterns), func(p string) bool {
		return slices.ContainsFunc(patterns, func(wider string) bool {
			stem, open := strings.CutSuffix(wider, "*")
			return open && wider != p && strings.HasPrefix(p, stem)
		})
	})
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
