package states

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// machine is one state machine; the service's lock guards it.
type machine struct {
	name, kind       string
	created, deleted time.Time
	revision         string // "" until the first update
	settings         settings
	tags             map[string]string
	versions         []*version // oldest first
	last             int
	aliases          map[string]*alias
}

// settings are what a revision is made of, and a version keeps.
type settings struct {
	Definition              string      `wire:"definition"`
	RoleArn                 string      `wire:"roleArn"`
	LoggingConfiguration    *logging    `wire:"loggingConfiguration"`
	TracingConfiguration    *tracing    `wire:"tracingConfiguration"`
	EncryptionConfiguration *encryption `wire:"encryptionConfiguration"`
}

type logging struct {
	Level                string        `wire:"level"`
	IncludeExecutionData bool          `wire:"includeExecutionData"`
	Destinations         []destination `wire:"destinations"`
}

type destination struct {
	CloudWatchLogsLogGroup *logGroup `wire:"cloudWatchLogsLogGroup"`
}

type logGroup struct {
	LogGroupArn string `wire:"logGroupArn"`
}

type tracing struct {
	Enabled bool `wire:"enabled"`
}

type encryption struct {
	Type                         string `wire:"type"`
	KmsKeyID                     string `wire:"kmsKeyId"`
	KmsDataKeyReusePeriodSeconds *int   `wire:"kmsDataKeyReusePeriodSeconds"`
}

// shown are the settings as AWS answers: what was left out has its default.
func (t settings) shown() settings {
	if t.LoggingConfiguration == nil {
		t.LoggingConfiguration = &logging{Level: "OFF"}
	}
	if t.TracingConfiguration == nil {
		t.TracingConfiguration = &tracing{}
	}
	if t.EncryptionConfiguration == nil {
		t.EncryptionConfiguration = &encryption{Type: "AWS_OWNED_KEY"}
	}
	return t
}

type machineInput struct {
	settings
	Name               string `wire:"name"`
	StateMachineArn    string `wire:"stateMachineArn"`
	Type               string `wire:"type"`
	Publish            bool   `wire:"publish"`
	VersionDescription string `wire:"versionDescription"`
	Tags               []Tag  `wire:"tags"`
}

type machineOutput struct {
	StateMachineArn        string    `wire:"stateMachineArn"`
	StateMachineVersionArn string    `wire:"stateMachineVersionArn"`
	CreationDate           time.Time `wire:"creationDate"`
	UpdateDate             time.Time `wire:"updateDate"`
	RevisionID             string    `wire:"revisionId"`
}

func (s *Service) create(_ context.Context, _ *wire.Call, in *machineInput) (machineOutput, error) {
	if in.Type == "" {
		in.Type = "STANDARD"
	}
	if !machineName.MatchString(in.Name) {
		return machineOutput{}, fail("InvalidName", "Invalid Name: '"+in.Name+"'")
	}
	if in.Type != "STANDARD" && in.Type != "EXPRESS" {
		return machineOutput{}, fail("StateMachineTypeNotSupported", "State machine type not supported: '"+in.Type+"'")
	}
	if err := s.check(in.settings); err != nil {
		return machineOutput{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, taken := s.machines[in.Name]; taken && !s.over(m) {
		if !m.deleted.IsZero() {
			return machineOutput{}, fail("StateMachineDeleting", "State Machine is being deleted: '"+s.arn(in.Name)+"'")
		}
		same := in.settings
		same.RoleArn = m.settings.RoleArn // not part of what makes a request the same
		if m.kind != in.Type || !reflect.DeepEqual(same.shown(), m.settings.shown()) {
			return machineOutput{}, fail("StateMachineAlreadyExists", "State Machine Already Exists: '"+s.arn(in.Name)+"'")
		}
		return machineOutput{StateMachineArn: s.arn(in.Name), CreationDate: m.created}, nil
	}
	m := &machine{
		name: in.Name, kind: in.Type, created: s.options.Now(), settings: in.settings, tags: map[string]string{}, aliases: map[string]*alias{},
	}
	for _, t := range in.Tags {
		m.tags[t.Key] = t.Value
	}
	s.machines[in.Name] = m
	out := machineOutput{StateMachineArn: s.arn(in.Name), CreationDate: m.created}
	if in.Publish {
		out.StateMachineVersionArn = s.versionArn(m, s.publishNow(m, in.VersionDescription))
	}
	return out, nil
}

// check refuses settings that AWS refuses.
func (s *Service) check(t settings) error {
	if t.Definition != "" {
		if faults := faultsOf(t.Definition); len(faults) > 0 {
			return fail("InvalidDefinition", "Invalid State Machine Definition: '"+faults[0].Code+": "+faults[0].Message+" at "+faults[0].Location+"'")
		}
	}
	if t.RoleArn != "" && s.options.Neighbours.Assumable != nil && !s.options.Neighbours.Assumable(t.RoleArn) {
		return fail("AccessDeniedException", "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.")
	}
	if l := t.LoggingConfiguration; l != nil {
		if !slices.Contains([]string{"ALL", "ERROR", "FATAL", "OFF"}, l.Level) || l.Level != "OFF" && len(l.Destinations) != 1 {
			return fail("InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination.")
		}
	}
	if e := t.EncryptionConfiguration; e != nil && e.Type == "CUSTOMER_MANAGED_KMS_KEY" && e.KmsKeyID == "" {
		return fail("InvalidEncryptionConfiguration", "Invalid Encryption Configuration: kmsKeyId is required.")
	}
	return nil
}

func (s *Service) update(_ context.Context, _ *wire.Call, in *machineInput) (machineOutput, error) {
	if in.Definition == "" && in.RoleArn == "" && in.LoggingConfiguration == nil && in.TracingConfiguration == nil && in.EncryptionConfiguration == nil {
		return machineOutput{}, fail("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, the TracingConfiguration or the EncryptionConfiguration must be specified")
	}
	if err := s.check(in.settings); err != nil {
		return machineOutput{}, err
	}
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
	m.settings = m.settings.with(in.settings)
	m.revision = wire.NewID()
	out := machineOutput{UpdateDate: s.options.Now(), RevisionID: m.revision}
	if in.Publish {
		out.StateMachineVersionArn = s.versionArn(m, s.publishNow(m, in.VersionDescription))
	}
	return out, nil
}

// with are the settings with what others name in their place.
func (t settings) with(o settings) settings {
	if o.Definition != "" {
		t.Definition = o.Definition
	}
	if o.RoleArn != "" {
		t.RoleArn = o.RoleArn
	}
	if o.LoggingConfiguration != nil {
		t.LoggingConfiguration = o.LoggingConfiguration
	}
	if o.TracingConfiguration != nil {
		t.TracingConfiguration = o.TracingConfiguration
	}
	if o.EncryptionConfiguration != nil {
		t.EncryptionConfiguration = o.EncryptionConfiguration
	}
	return t
}

type target struct {
	StateMachineArn string `wire:"stateMachineArn"`
}

type describeOutput struct {
	settings
	StateMachineArn string    `wire:"stateMachineArn"`
	Name            string    `wire:"name"`
	Status          string    `wire:"status"`
	Type            string    `wire:"type"`
	CreationDate    time.Time `wire:"creationDate"`
	RevisionID      string    `wire:"revisionId"`
	Description     string    `wire:"description"`
}

func (s *Service) describe(_ context.Context, _ *wire.Call, in *target) (describeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, qualifier, err := s.find(in.StateMachineArn)
	if err != nil {
		return describeOutput{}, err
	}
	out := describeOutput{
		settings: m.settings.shown(), StateMachineArn: s.arn(m.name), Name: m.name, Status: "ACTIVE", Type: m.kind,
		CreationDate: m.created, RevisionID: m.revision,
	}
	if !m.deleted.IsZero() {
		out.Status = "DELETING"
	}
	if qualifier != "" {
		v := m.version(qualifier)
		if v == nil {
			return describeOutput{}, noMachine(in.StateMachineArn)
		}
		out.settings, out.StateMachineArn, out.RevisionID, out.Description = v.settings.shown(), in.StateMachineArn, v.revision, v.description
		out.CreationDate = v.created
	}
	return out, nil
}

// remove deletes a machine with its versions and aliases; that there is none
// is no error.
func (s *Service) remove(_ context.Context, _ *wire.Call, in *target) (wire.None, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, qualifier, err := s.find(in.StateMachineArn)
	switch {
	case err != nil && wire.AsError(err).Code == "InvalidArn":
		return wire.None{}, err
	case err != nil:
		return wire.None{}, nil
	case qualifier != "":
		return wire.None{}, fail("ValidationException", "The specified state machine ARN must be unqualified.")
	}
	if m.deleted.IsZero() {
		m.deleted = s.options.Now()
		for _, e := range s.executions {
			if e.machine == m.name {
				e.cancel()
			}
		}
	}
	if s.over(m) {
		delete(s.machines, m.name)
	}
	return wire.None{}, nil
}

type pageInput struct {
	StateMachineArn string `wire:"stateMachineArn"`
	StatusFilter    string `wire:"statusFilter"`
	NextToken       string `wire:"nextToken"`
	MaxResults      int    `wire:"maxResults"`
}

// window is where a page begins and ends in a list of n.
func (in *pageInput) window(n int) (from, to int, next string, err error) {
	limit := in.MaxResults
	if limit == 0 {
		limit = 100
	}
	if limit < 0 || limit > 1000 {
		return 0, 0, "", fail("ValidationException", "maxResults must be between 0 and 1000")
	}
	if in.NextToken != "" {
		if from, err = strconv.Atoi(in.NextToken); err != nil || from > n {
			return 0, 0, "", fail("InvalidToken", "Invalid Token: '"+in.NextToken+"'")
		}
	}
	if to = min(n, from+limit); to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next, nil
}

type machineItem struct {
	StateMachineArn string    `wire:"stateMachineArn"`
	Name            string    `wire:"name"`
	Type            string    `wire:"type"`
	CreationDate    time.Time `wire:"creationDate"`
}

type listOutput struct {
	StateMachines []machineItem `wire:"stateMachines"`
	NextToken     string        `wire:"nextToken"`
}

func (s *Service) list(_ context.Context, _ *wire.Call, in *pageInput) (listOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.machines)) {
		if !s.over(s.machines[name]) {
			names = append(names, name)
		}
	}
	from, to, next, err := in.window(len(names))
	out := listOutput{StateMachines: []machineItem{}, NextToken: next}
	for _, name := range names[from:to] {
		m := s.machines[name]
		out.StateMachines = append(out.StateMachines, machineItem{s.arn(name), name, m.kind, m.created})
	}
	return out, err
}
