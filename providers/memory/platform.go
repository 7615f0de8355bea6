// Package memory is a whole platform in a map: functions with versions and
// aliases, queues, roles, mappings and permissions, with guards, settling
// times, stale reads, other people's hands and traffic. It is for simulation
// and for trying policies: fast, deterministic, awkward on request. It refuses
// to be a model of any one cloud's wire protocol.
package memory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Options set how awkward the platform is. The zero Options are a platform
// that does at once what it is told.
type Options struct {
	// Now is the platform's clock; nil: a clock that never moves from a fixed
	// instant.
	Now func() time.Time
	// Settle is how long an update of a function, mapping or provisioned
	// concurrency takes to hold; meanwhile writes about it are refused.
	Settle time.Duration
	// Activate is how long a published version takes to become ready.
	Activate time.Duration
	// Stale is how long reads go on showing what was before a change.
	Stale time.Duration
	// Inject is asked before and after each effect ("put:before",
	// "put:after", …; reads ask once: "survey", "observe"). An error before
	// keeps the effect from happening; one after loses only the answer.
	Inject func(op string, ref manifest.Ref) error
	// Partial cuts listings short: Survey says so by Complete.
	Partial func() bool
	// Account is what CheckAccount answers; "" means "memory".
	Account string
}

// Platform is one account. Environments live in it side by side, each through
// its own Provider. It is safe for concurrent use.
type Platform struct {
	mu      sync.Mutex
	o       Options
	things  map[Name]*thing
	calls   []Call
	traffic map[string]Traffic // by function's physical name
	alarms  map[string]string  // what they say, by physical name
	errors  map[string]float64 // error rate by code digest
	handler func(Invocation) ([]byte, bool)
	request int
	// switches are the dead man's switches, by alias.
	switches map[Name]standing
}

// Name is how the platform itself names a thing. Physical is the function's
// for what lives on a function, the role's for an inline policy.
type Name struct {
	Kind, Physical, Key string
}

// String is Kind/physical, and the key of a child behind a dot.
func (n Name) String() string {
	if n.Key == "" {
		return n.Kind + "/" + n.Physical
	}
	return n.Kind + "/" + n.Physical + "." + n.Key
}

// KindPolicy is an inline policy of a role, beside the one Mooring keeps.
const KindPolicy = "Policy"

// NameOf is the platform's name of a declared resource.
func NameOf(res manifest.Resource) Name {
	n := Name{Kind: res.Ref.Kind, Physical: res.Physical, Key: res.Key}
	switch n.Kind {
	case manifest.KindRole, manifest.KindRule, manifest.KindSchedule: // a function's or not: their names are their own
		n.Key = ""
	case manifest.KindSubscription, manifest.KindRoute: // without its manifest only its reference tells
		if _, key, ok := strings.Cut(res.Ref.Name, "."); ok && n.Key == "" {
			n.Key = key
		}
	}
	return n
}

// Call is one effect, or an attempt at one.
type Call struct {
	At          time.Time
	Actor       string
	Environment string // of the Provider; "" for a person
	Op          string // put | publish | route | delete | detach | clean | manual
	Ref         manifest.Ref
	Name        Name
	Guard       providers.Guard
	Routing     providers.Routing
	Fields      []string // paths that were written
	RequestID   string
	Error       string // "" when it took hold
}

// thing is one live thing.
type thing struct {
	name      Name
	fields    map[string]string
	sensitive map[string]bool
	owner     providers.Owner
	revision  int
	born      int       // the revision it was made with
	settles   time.Time // until then a change is taking hold
	bump      bool      // the second revision of an update is still to come
	failed    string
	faults    map[string]string // by path
	note      string
	open      bool
	addresses map[string]string // attributes other than the usual
	versions  map[string]published
	last      int
	routing   providers.Routing
	routes    []moved // history of routing, oldest first
	changed   time.Time
	before    *thing // what stale reads show; nil: absent
	audit     []providers.Actor
	deleted   bool
}

type published struct {
	number, snapshot, code string
	ready                  time.Time
}

type moved struct {
	at time.Time
	to providers.Routing
}

// New makes an empty platform.
func New(o Options) *Platform {
	if o.Now == nil {
		fixed := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		o.Now = func() time.Time { return fixed }
	}
	return &Platform{o: o, things: map[Name]*thing{}, traffic: map[string]Traffic{}, alarms: map[string]string{}, errors: map[string]float64{},
		switches: map[Name]standing{}}
}

// Environment is the Provider of one environment of one pipeline.
func (p *Platform) Environment(pipeline, environment string) *Provider {
	return &Provider{p: p, pipeline: pipeline, environment: environment}
}

// Calls is every effect so far, oldest first.
func (p *Platform) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Names lists what lives, sorted.
func (p *Platform) Names() []Name {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []Name
	for n, t := range p.things {
		if !t.deleted {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b Name) int { return compareNames(a, b) })
	return names
}

// Fields is what a thing holds, and whether it lives: the truth, no stale read.
func (p *Platform) Fields(n Name) (map[string]string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.live(n)
	if !ok {
		return nil, false
	}
	return maps.Clone(t.fields), true
}

// Routing is where an alias of a function points, the truth.
func (p *Platform) Routing(physical, alias string) providers.Routing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.route(Name{manifest.KindAlias, physical, alias})
}

// WorkflowRouting is where an alias of a workflow points, the truth.
func (p *Platform) WorkflowRouting(physical, alias string) providers.Routing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.route(Name{manifest.KindWorkflowAlias, physical, alias})
}

func (p *Platform) route(n Name) providers.Routing {
	t, ok := p.live(n)
	if !ok {
		return providers.Routing{}
	}
	return t.routing
}

func (p *Platform) lives(n Name) bool {
	_, ok := p.live(n)
	return ok
}

// Versions lists a function's published versions by number with the digest of
// their code, the truth.
func (p *Platform) Versions(physical string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]string{}
	if t, ok := p.live(Name{manifest.KindFunction, physical, ""}); ok {
		for n, v := range t.versions {
			out[n] = v.code
		}
	}
	return out
}

func compareNames(a, b Name) int {
	switch as, bs := a.String(), b.String(); {
	case as < bs:
		return -1
	case as > bs:
		return 1
	}
	return 0
}

// live finds a thing and lets pending settling finish.
func (p *Platform) live(n Name) (*thing, bool) {
	if len(p.switches) > 0 {
		p.act(n)
	}
	t, ok := p.things[n]
	if !ok || t.deleted {
		return nil, false
	}
	if t.bump && !p.o.Now().Before(t.settles) {
		t.bump = false
		t.revision++
	}
	return t, true
}

func (t *thing) guard() providers.Guard {
	return providers.Guard(fmt.Sprintf("r%d", t.revision))
}

// touch begins a change of a thing: what it was is kept for stale reads.
func (p *Platform) touch(t *thing) {
	if p.o.Stale > 0 && (t.changed.IsZero() || !p.o.Now().Before(t.changed.Add(p.o.Stale))) {
		t.before = t.copy()
	}
	t.changed = p.o.Now()
	t.revision++
}

func (t *thing) copy() *thing {
	c := *t
	c.fields, c.sensitive = maps.Clone(t.fields), maps.Clone(t.sensitive)
	c.versions = maps.Clone(t.versions)
	c.before, c.audit, c.routes = nil, nil, nil
	return &c
}

// shown is the thing as a read sees it now; nil when it sees none.
func (p *Platform) shown(n Name) *thing {
	t, ok := p.things[n]
	if !ok {
		return nil
	}
	if p.o.Stale > 0 && p.o.Now().Before(t.changed.Add(p.o.Stale)) {
		return t.before
	}
	if t, ok := p.live(n); ok {
		return t
	}
	return nil
}

// record writes the audit trail and the call log.
func (p *Platform) record(t *thing, c Call, service bool) string {
	p.request++
	c.RequestID = fmt.Sprintf("req-%d", p.request)
	c.At = p.o.Now()
	if t != nil {
		c.Name = t.name
		t.audit = append(t.audit, providers.Actor{
			Known: true, Name: c.Actor, Event: event(c), At: c.At, RequestID: c.RequestID, Service: service,
		})
	}
	p.calls = append(p.calls, c)
	return c.RequestID
}

// event names a change as an audit trail would.
func event(c Call) string {
	verb := map[string]string{"put": "Put", "publish": "Publish", "route": "Update", "delete": "Delete", "detach": "Delete", "clean": "Delete", "manual": "Update"}[c.Op]
	if c.Op == "manual" && c.Name.Kind == manifest.KindFunction {
		return "UpdateFunctionConfiguration"
	}
	return verb + c.Name.Kind
}

// Guard is a thing's revision, the truth; "" when it does not live.
func (p *Platform) Guard(n Name) providers.Guard {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.live(n)
	if !ok {
		return ""
	}
	return t.guard()
}

// Owner is whose tags a thing carries, the truth.
func (p *Platform) Owner(n Name) providers.Owner {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.live(n)
	if !ok {
		return providers.Owner{}
	}
	return t.owner
}
