package lambda

import (
	"maps"
	"slices"
	"time"
)

// alias names a version, and perhaps a second one that takes a share.
type alias struct {
	name, version, description string
	weights                    map[string]float64
	revision                   string

	// A move of an alias with provisioned concurrency is AWS's to make: until
	// settled it shows weights back to the version before.
	settling  map[string]float64
	settledAt time.Time
}

// shares are the weights that rule now.
func (a *alias) shares(now time.Time) map[string]float64 {
	if now.Before(a.settledAt) && len(a.weights) == 0 {
		return a.settling
	}
	return a.weights
}

type routingConfig struct {
	AdditionalVersionWeights map[string]float64
}

type aliasInput struct {
	Name            string
	FunctionVersion *string
	Description     *string
	RoutingConfig   *routingConfig
	RevisionID      string `json:"RevisionId"`
}

type aliasOutput struct {
	AliasArn, Name, FunctionVersion string
	Description                     string
	RoutingConfig                   *routingConfig `json:",omitempty"`
	RevisionID                      string         `json:"RevisionId"`
}

func (s *Service) showAlias(f *function, a *alias) aliasOutput {
	out := aliasOutput{AliasArn: s.qualifiedARN(f.name, a.name), Name: a.name, FunctionVersion: a.version, Description: a.description, RevisionID: a.revision}
	if w := a.shares(s.opts.Now()); len(w) > 0 {
		out.RoutingConfig = &routingConfig{AdditionalVersionWeights: w}
	}
	return out
}

func checkAliasName(name string) error {
	if name == "" || len(name) > 128 || !plainName.MatchString(name) || isNumber(name) {
		return constraint(name, "name", "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)")
	}
	return nil
}

func (s *Service) createAlias(q *request) (reply, error) {
	var in aliasInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	if err := checkAliasName(in.Name); err != nil {
		return reply{}, err
	}
	if f.aliases[in.Name] != nil {
		return reply{}, conflict("Alias already exists: %s", s.qualifiedARN(f.name, in.Name))
	}
	if in.FunctionVersion == nil {
		return reply{}, constraint("null", "functionVersion", "Member must not be null")
	}
	a := &alias{name: in.Name, revision: newID()}
	if err := s.setAlias(f, a, in); err != nil {
		return reply{}, err
	}
	f.aliases[in.Name] = a
	return created(s.showAlias(f, a))
}

// setAlias applies what was said and checks the whole; a is unchanged on error.
func (s *Service) setAlias(f *function, a *alias, in aliasInput) error {
	next := *a
	replace(&next.version, in.FunctionVersion)
	replace(&next.description, in.Description)
	if in.RoutingConfig != nil {
		next.weights = maps.Clone(in.RoutingConfig.AdditionalVersionWeights)
	}
	if len(next.description) > 256 {
		return constraint(next.description, "description", "Member must have length less than or equal to 256")
	}
	if next.version != latest && !isNumber(next.version) {
		return constraint(next.version, "functionVersion", `Member must satisfy regular expression pattern: (\$LATEST|[0-9]+)`)
	}
	main, err := s.version(f, next.version)
	if err != nil {
		return err
	}
	if err := s.checkWeights(f, main, next.weights); err != nil {
		return err
	}
	*a = next
	return nil
}

func (s *Service) checkWeights(f *function, main *version, weights map[string]float64) error {
	if len(weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for n, w := range weights {
		if !isNumber(n) {
			return constraint(n, "routingConfig.additionalVersionWeights", "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [0-9]+]")
		}
		if w < 0 || w > 1 {
			return constraint(w, "routingConfig.additionalVersionWeights", "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0]")
		}
		if main.number == latest {
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		}
		if n == main.number {
			return invalid("Invalid function version %s. Function version %s is already included in routing configuration.", n, n)
		}
		extra, err := s.version(f, n)
		if err != nil {
			return err
		}
		if extra.Role != main.Role {
			return invalid("Versions of an alias with a routing configuration must have the same execution role: %s and %s differ.", main.number, n)
		}
		if extra.DeadLetter != main.DeadLetter {
			return invalid("Versions of an alias with a routing configuration must have the same dead-letter queue configuration: %s and %s differ.", main.number, n)
		}
	}
	return nil
}

func (s *Service) findAlias(q *request) (*function, *alias, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return nil, nil, err
	}
	a := f.aliases[q.path["Name"]]
	if a == nil {
		return nil, nil, notFound("Cannot find alias arn: %s", s.qualifiedARN(f.name, q.path["Name"]))
	}
	return f, a, nil
}

func (s *Service) getAlias(q *request) (reply, error) {
	f, a, err := s.findAlias(q)
	if err != nil {
		return reply{}, err
	}
	return ok(s.showAlias(f, a))
}

func (s *Service) updateAlias(q *request) (reply, error) {
	var in aliasInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	f, a, err := s.findAlias(q)
	if err != nil {
		return reply{}, err
	}
	if in.RevisionID != "" && in.RevisionID != a.revision {
		return reply{}, staleFunction()
	}
	before := a.version
	if err := s.setAlias(f, a, in); err != nil {
		return reply{}, err
	}
	a.revision = newID() // new even when nothing changed
	if p := f.provisioned[a.name]; p != nil && a.version != before {
		done := s.opts.Now().Add(s.opts.Updating)
		a.settling, a.settledAt = map[string]float64{before: 1}, done
		p.readyAt = done
	}
	return ok(s.showAlias(f, a))
}

// deleteAlias succeeds for an alias that is not there.
func (s *Service) deleteAlias(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	name := q.path["Name"]
	delete(f.aliases, name)
	delete(f.policies, name)
	delete(f.urls, name)
	delete(f.async, name)
	delete(f.provisioned, name)
	return noContent()
}

func (s *Service) listAliases(q *request) (reply, error) {
	f, err := s.findUnqualified(q)
	if err != nil {
		return reply{}, err
	}
	wanted := q.query.Get("FunctionVersion")
	var rows []*alias
	for _, name := range slices.Sorted(maps.Keys(f.aliases)) {
		a := f.aliases[name]
		if _, weighted := a.weights[wanted]; wanted == "" || a.version == wanted || weighted {
			rows = append(rows, a)
		}
	}
	rows, next, err := page(q, rows, 50, func(a *alias) string { return a.name })
	if err != nil {
		return reply{}, err
	}
	list := make([]aliasOutput, 0, len(rows))
	for _, a := range rows {
		list = append(list, s.showAlias(f, a))
	}
	return ok(listing("Aliases", list, next))
}
