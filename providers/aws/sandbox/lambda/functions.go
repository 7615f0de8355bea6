package lambda

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
)

// function is one function with everything that hangs on it. What AWS keeps
// by qualifier is keyed by it: "" is the unqualified function.
type function struct {
	name        string
	latest      *version
	before      *version // what $LATEST runs while an update is in progress
	versions    map[string]*version
	lastNumber  int
	published   string // digest of $LATEST when it was last published
	publishedAs string

	aliases     map[string]*alias
	tags        map[string]string
	reserved    *int
	policies    map[string]*policy
	urls        map[string]*functionURL
	async       map[string]*asyncConfig
	provisioned map[string]*provisioned
	runtimes    map[string]runtimeManagement
	recursion   string
	signing     string
	log         *runtime.Log // nil before the first run
}

// version is $LATEST or a published one. Published ones never change. States
// are read off the clock.
type version struct {
	settings
	number    string
	modified  time.Time
	activeAt  time.Time // Pending before
	updatedAt time.Time // LastUpdateStatus is InProgress before
	revision  revision
	change    uint64 // tells processes of one state of $LATEST from another
}

func newFunction(name string) *function {
	return &function{
		name: name, versions: map[string]*version{}, aliases: map[string]*alias{}, tags: map[string]string{},
		policies: map[string]*policy{}, urls: map[string]*functionURL{}, async: map[string]*asyncConfig{},
		provisioned: map[string]*provisioned{}, runtimes: map[string]runtimeManagement{}, recursion: "Terminate",
	}
}

type createFunctionInput struct {
	FunctionName string
	settingsInput
	Code                 codeInput
	Publish              bool
	PackageType          string
	Tags                 map[string]string
	Architectures        []string
	CodeSigningConfigArn string
	TenancyConfig        json.RawMessage
	PublishTo            string // refused
}

func (s *Service) createFunction(q *request) (reply, error) {
	var in createFunctionInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	ref, err := s.parseReference(in.FunctionName, "")
	if err != nil {
		return reply{}, err
	}
	if ref.qualifier != "" {
		return reply{}, invalid("The function name must not have a qualifier: %s", in.FunctionName)
	}
	config := defaultSettings(ref.name)
	in.apply(&config, ref.name)
	if in.PackageType != "" {
		config.PackageType = in.PackageType
	}
	if in.Architectures != nil {
		config.Architectures = in.Architectures
	}
	config.Tenancy = in.TenancyConfig
	if err := s.admissible(config, ref.name, in); err != nil {
		return reply{}, err
	}
	if config.Code, err = s.load(in.Code, config.PackageType); err != nil {
		return reply{}, err
	}
	return s.addFunction(ref.name, config, in)
}

func (s *Service) admissible(config settings, name string, in createFunctionInput) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] != nil {
		return conflict("Function already exist: %s", name)
	}
	if in.PublishTo != "" {
		return noManagedInstances()
	}
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	if err := s.checkSigned(in.CodeSigningConfigArn); err != nil {
		return err
	}
	return s.validate(config, in.settingsInput)
}

func (s *Service) addFunction(name string, config settings, in createFunctionInput) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] != nil { // another call was faster
		return reply{}, conflict("Function already exist: %s", name)
	}
	now := s.opts.Now()
	ready := now.Add(s.opts.Updating)
	f := newFunction(name)
	f.tags = maps.Clone(in.Tags)
	if f.tags == nil {
		f.tags = map[string]string{}
	}
	f.signing = in.CodeSigningConfigArn
	f.latest = &version{settings: config, number: latest, modified: now, activeAt: ready, updatedAt: ready, revision: newRevision(ready), change: s.nextChange()}
	s.functions[name] = f
	if in.Publish {
		v := s.snapshot(f, "")
		return created(s.show(f, v, v.number))
	}
	return created(s.showStarted(f))
}

func (s *Service) nextChange() uint64 {
	s.changes++
	return s.changes
}

// find returns the function a call names.
func (s *Service) find(q *request) (*function, reference, error) {
	ref, err := s.parseReference(q.path["FunctionName"], q.query.Get("Qualifier"))
	if err != nil {
		return nil, ref, err
	}
	f := s.functions[ref.name]
	if f == nil {
		return nil, ref, notFound("Function not found: %s", s.qualifiedARN(ref.name, ref.qualifier))
	}
	return f, ref, nil
}

// findUnqualified is find for calls that take no qualifier.
func (s *Service) findUnqualified(q *request) (*function, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return nil, err
	}
	if ref.qualifier != "" && ref.qualifier != latest {
		return nil, invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support it. Please specify either a function name or an unqualified function ARN.")
	}
	return f, nil
}

// version finds what a qualifier stands for, an alias resolved.
func (s *Service) version(f *function, qualifier string) (*version, error) {
	switch {
	case qualifier == "" || qualifier == latest:
		return f.latest, nil
	case isNumber(qualifier):
		if v := f.versions[qualifier]; v != nil {
			return v, nil
		}
	default:
		if a := f.aliases[qualifier]; a != nil {
			return s.version(f, a.version)
		}
	}
	return nil, notFound("Function not found: %s", s.qualifiedARN(f.name, qualifier))
}

func (s *Service) getFunctionConfiguration(q *request) (reply, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return reply{}, err
	}
	v, err := s.version(f, ref.qualifier)
	if err != nil {
		return reply{}, err
	}
	return ok(s.show(f, v, ref.qualifier))
}

type getFunctionOutput struct {
	Configuration configuration
	Code          codeLocation
	Tags          map[string]string  `json:",omitempty"`
	Concurrency   *concurrencyOutput `json:",omitempty"`
}

type codeLocation struct {
	RepositoryType   string
	Location         string    `json:",omitempty"`
	ImageURI         string    `json:"ImageUri,omitempty"`
	ResolvedImageURI string    `json:"ResolvedImageUri,omitempty"`
	SourceKMSKeyArn  string    `json:",omitempty"`
	ResolvedS3Object *s3Object `json:",omitempty"`
}

func (s *Service) getFunction(q *request) (reply, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return reply{}, err
	}
	v, err := s.version(f, ref.qualifier)
	if err != nil {
		return reply{}, err
	}
	out := getFunctionOutput{Configuration: s.show(f, v, ref.qualifier), Tags: f.tags}
	if v.Code.Hex == "" {
		out.Code = codeLocation{RepositoryType: "ECR", ImageURI: v.Code.Image, ResolvedImageURI: v.Code.Resolved}
	} else {
		out.Code = codeLocation{RepositoryType: "S3", Location: s.opts.PublicURL() + codePath + v.Code.Hex, SourceKMSKeyArn: v.Code.SourceKMSKeyArn,
			ResolvedS3Object: v.Code.Object}
	}
	if f.reserved != nil {
		out.Concurrency = &concurrencyOutput{ReservedConcurrentExecutions: f.reserved}
	}
	return ok(out)
}

func (s *Service) listFunctions(q *request) (reply, error) {
	mode := q.query.Get("FunctionVersion")
	if mode != "" && mode != "ALL" {
		return reply{}, constraint(mode, "functionVersion", "Member must satisfy enum value set: [ALL]")
	}
	type row struct {
		f *function
		v *version
	}
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		f := s.functions[name]
		rows = append(rows, row{f, f.latest})
		if mode == "ALL" {
			for _, v := range f.ordered() {
				rows = append(rows, row{f, v})
			}
		}
	}
	key := func(r row) string { return r.f.name + "\x00" + padded(r.v.number) }
	rows, next, err := page(q, rows, 50, key)
	if err != nil {
		return reply{}, err
	}
	list := make([]configuration, 0, len(rows))
	for _, r := range rows {
		qualifier := ""
		if mode == "ALL" {
			qualifier = r.v.number
		}
		list = append(list, s.showShort(r.f, r.v, qualifier))
	}
	return ok(listing("Functions", list, next))
}

// ordered are the published versions, oldest first.
func (f *function) ordered() []*version {
	out := make([]*version, 0, len(f.versions))
	for _, v := range f.versions {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b *version) int { return number(a.number) - number(b.number) })
	return out
}

// padded sorts version numbers as text; $LATEST comes first.
func padded(n string) string {
	if n == latest {
		return n // which sorts before digits
	}
	return strings.Repeat("0", max(0, 12-len(n))) + n
}

func (s *Service) deleteFunction(q *request) (reply, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return reply{}, err
	}
	switch {
	case ref.qualifier == "":
		delete(s.functions, f.name)
		s.retire(f, f.latest)
		for _, v := range f.versions {
			s.retire(f, v)
		}
		return noContent()
	case ref.qualifier == latest:
		return reply{}, invalid("$LATEST version cannot be deleted without deleting the function.")
	case !isNumber(ref.qualifier):
		return reply{}, invalid("Deletion of aliases is not currently supported.")
	}
	return s.deleteVersion(f, ref.qualifier)
}
