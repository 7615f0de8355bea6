package states

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// version is a snapshot of a revision.
type version struct {
	number                int
	revision, description string
	settings              settings
	created               time.Time
}

// alias points at one version or two.
type alias struct {
	name, description string
	created, updated  time.Time
	routing           []route
}

type route struct {
	StateMachineVersionArn string `wire:"stateMachineVersionArn"`
	Weight                 int    `wire:"weight"`
}

func (s *Service) versionArn(m *machine, v *version) string {
	return s.arn(m.name) + ":" + strconv.Itoa(v.number)
}

func (m *machine) version(number string) *version {
	for _, v := range m.versions {
		if strconv.Itoa(v.number) == number {
			return v
		}
	}
	return nil
}

type publishInput struct {
	StateMachineArn        string  `wire:"stateMachineArn"`
	StateMachineVersionArn string  `wire:"stateMachineVersionArn"`
	RevisionID             *string `wire:"revisionId"`
	Description            string  `wire:"description"`
}

func (s *Service) publish(_ context.Context, _ *wire.Call, in *publishInput) (machineOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, qualifier, err := s.find(in.StateMachineArn)
	switch {
	case err != nil:
		return machineOutput{}, err
	case qualifier != "":
		return machineOutput{}, fail("ValidationException", "The specified state machine ARN must be unqualified.")
	case !m.deleted.IsZero():
		return machineOutput{}, fail("StateMachineDeleting", "State Machine is being deleted: '"+in.StateMachineArn+"'")
	}
	if in.RevisionID != nil && *in.RevisionID != m.revision && (*in.RevisionID != "INITIAL" || m.revision != "") {
		return machineOutput{}, fail("ConflictException", "Failed to publish the State Machine version for revision "+*in.RevisionID+". The current State Machine revision is "+m.revision+".")
	}
	v := s.publishNow(m, in.Description)
	return machineOutput{StateMachineVersionArn: s.versionArn(m, v), CreationDate: v.created}, nil
}

// publishNow makes a version of the current revision, or finds the one made
// before.
func (s *Service) publishNow(m *machine, description string) *version {
	for _, v := range m.versions {
		if v.revision == m.revision {
			return v
		}
	}
	m.last++
	v := &version{number: m.last, revision: m.revision, description: description, settings: m.settings, created: s.options.Now()}
	m.versions = append(m.versions, v)
	return v
}

type versionItem struct {
	StateMachineVersionArn string    `wire:"stateMachineVersionArn"`
	CreationDate           time.Time `wire:"creationDate"`
}

type versionsOutput struct {
	StateMachineVersions []versionItem `wire:"stateMachineVersions"`
	NextToken            string        `wire:"nextToken"`
}

// listVersions lists the newest first.
func (s *Service) listVersions(_ context.Context, _ *wire.Call, in *pageInput) (versionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, _, err := s.find(in.StateMachineArn)
	if err != nil {
		return versionsOutput{}, err
	}
	from, to, next, err := in.window(len(m.versions))
	out := versionsOutput{StateMachineVersions: []versionItem{}, NextToken: next}
	for i := from; i < to; i++ {
		v := m.versions[len(m.versions)-1-i]
		out.StateMachineVersions = append(out.StateMachineVersions, versionItem{s.versionArn(m, v), v.created})
	}
	return out, err
}

func (s *Service) removeVersion(_ context.Context, _ *wire.Call, in *publishInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := in.StateMachineVersionArn
	m, number, err := s.find(arn)
	if err != nil || number == "" {
		return wire.None{}, fail("ValidationException", "Invalid State Machine Version ARN: '"+arn+"'")
	}
	for _, name := range slices.Sorted(maps.Keys(m.aliases)) {
		for _, r := range m.aliases[name].routing {
			if r.StateMachineVersionArn == arn {
				return wire.None{}, fail("ConflictException", "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: ["+name+"]")
			}
		}
	}
	m.versions = slices.DeleteFunc(m.versions, func(v *version) bool { return strconv.Itoa(v.number) == number })
	return wire.None{}, nil
}

type aliasInput struct {
	Name                 string  `wire:"name"`
	StateMachineAliasArn string  `wire:"stateMachineAliasArn"`
	Description          *string `wire:"description"`
	RoutingConfiguration []route `wire:"routingConfiguration"`
}

type aliasOutput struct {
	StateMachineAliasArn string    `wire:"stateMachineAliasArn"`
	Name                 string    `wire:"name"`
	Description          string    `wire:"description"`
	RoutingConfiguration []route   `wire:"routingConfiguration"`
	CreationDate         time.Time `wire:"creationDate"`
	UpdateDate           time.Time `wire:"updateDate"`
}

var aliasName = regexp.MustCompile(`^[0-9A-Za-z_.-]*[A-Za-z_.-][0-9A-Za-z_.-]*$`)

func (s *Service) createAlias(_ context.Context, _ *wire.Call, in *aliasInput) (aliasOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !aliasName.MatchString(in.Name) || len(in.Name) > 80 {
		return aliasOutput{}, fail("InvalidName", "Invalid Name: '"+in.Name+"'")
	}
	m, err := s.routable("", in.RoutingConfiguration)
	if err != nil {
		return aliasOutput{}, err
	}
	arn, description := s.arn(m.name)+":"+in.Name, ""
	if in.Description != nil {
		description = *in.Description
	}
	if have, taken := m.aliases[in.Name]; taken {
		if have.description != description || !slices.Equal(have.routing, in.RoutingConfiguration) {
			return aliasOutput{}, fail("ConflictException", "Failed to create alias because an alias with the same name and a different routing configuration already exists.")
		}
		return aliasOutput{StateMachineAliasArn: arn, CreationDate: have.created}, nil
	}
	if len(m.aliases) >= 100 {
		return aliasOutput{}, fail("ServiceQuotaExceededException", "Number of State Machine Aliases exceeded.")
	}
	now := s.options.Now()
	m.aliases[in.Name] = &alias{name: in.Name, description: description, created: now, updated: now, routing: in.RoutingConfiguration}
	return aliasOutput{StateMachineAliasArn: arn, CreationDate: now}, nil
}

// routable finds the machine whose versions a routing names: one or two of the
// same, with weights that sum to a hundred.
func (s *Service) routable(name string, routing []route) (*machine, error) {
	if len(routing) < 1 || len(routing) > 2 {
		return nil, fail("ValidationException", "routingConfiguration must have between 1 and 2 members")
	}
	var found *machine
	sum, seen := 0, map[string]bool{}
	for _, r := range routing {
		m, number, err := s.find(r.StateMachineVersionArn)
		if err != nil || m.version(number) == nil {
			return nil, fail("ResourceNotFound", "State Machine Version Does Not Exist: '"+r.StateMachineVersionArn+"'")
		}
		if found != nil && found != m || name != "" && m.name != name || seen[number] || r.Weight < 0 || r.Weight > 100 {
			return nil, fail("ValidationException", "Routing configuration must contain different versions of the same state machine, with weights from 0 to 100.")
		}
		found, seen[number] = m, true
		sum += r.Weight
	}
	if sum != 100 {
		return nil, fail("ValidationException", "Sum of routing configuration weights must equal 100.")
	}
	if !found.deleted.IsZero() {
		return nil, fail("StateMachineDeleting", "State Machine is being deleted: '"+s.arn(found.name)+"'")
	}
	return found, nil
}

func (s *Service) alias(arn string) (*machine, *alias, error) {
	m, name, err := s.find(arn)
	if err == nil && m.deleted.IsZero() && m.aliases[name] != nil {
		return m, m.aliases[name], nil
	}
	if err != nil && wire.AsError(err).Code == "InvalidArn" {
		return nil, nil, err
	}
	return nil, nil, fail("ResourceNotFound", "Request references a resource that does not exist: '"+arn+"'")
}

func (s *Service) updateAlias(_ context.Context, _ *wire.Call, in *aliasInput) (aliasOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, a, err := s.alias(in.StateMachineAliasArn)
	if err != nil {
		return aliasOutput{}, err
	}
	if in.Description == nil && in.RoutingConfiguration == nil {
		return aliasOutput{}, fail("ValidationException", "Either description or routingConfiguration must be specified.")
	}
	if in.RoutingConfiguration != nil {
		if _, err := s.routable(m.name, in.RoutingConfiguration); err != nil {
			return aliasOutput{}, err
		}
		a.routing = in.RoutingConfiguration
	}
	if in.Description != nil {
		a.description = *in.Description
	}
	a.updated = s.options.Now()
	return aliasOutput{UpdateDate: a.updated}, nil
}

func (s *Service) describeAlias(_ context.Context, _ *wire.Call, in *aliasInput) (aliasOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, a, err := s.alias(in.StateMachineAliasArn)
	if err != nil {
		return aliasOutput{}, err
	}
	return aliasOutput{in.StateMachineAliasArn, a.name, a.description, a.routing, a.created, a.updated}, nil
}

type aliasItem struct {
	StateMachineAliasArn string    `wire:"stateMachineAliasArn"`
	CreationDate         time.Time `wire:"creationDate"`
}

type aliasesOutput struct {
	StateMachineAliases []aliasItem `wire:"stateMachineAliases"`
	NextToken           string      `wire:"nextToken"`
}

// listAliases lists a machine's aliases, or with a version's ARN those that
// point at it.
func (s *Service) listAliases(_ context.Context, _ *wire.Call, in *pageInput) (aliasesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, number, err := s.find(in.StateMachineArn)
	if err != nil {
		return aliasesOutput{}, err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.aliases)) {
		if number == "" || slices.ContainsFunc(m.aliases[name].routing, func(r route) bool { return strings.HasSuffix(r.StateMachineVersionArn, ":"+number) }) {
			names = append(names, name)
		}
	}
	from, to, next, err := in.window(len(names))
	out := aliasesOutput{StateMachineAliases: []aliasItem{}, NextToken: next}
	for _, name := range names[from:to] {
		out.StateMachineAliases = append(out.StateMachineAliases, aliasItem{s.arn(m.name) + ":" + name, m.aliases[name].created})
	}
	return out, err
}

func (s *Service) removeAlias(_ context.Context, _ *wire.Call, in *aliasInput) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, a, err := s.alias(in.StateMachineAliasArn)
	if err != nil {
		return wire.None{}, err
	}
	delete(m.aliases, a.name)
	return wire.None{}, nil
}
