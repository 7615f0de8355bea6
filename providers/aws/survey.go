package aws

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/crew"
	"mooring.dev/sources/manifest"
)

// Layers of observation, as Inventory.Layers names them.
const (
	layerConfiguration = "configuration" // code and configuration, in bulk: every survey
	layerMappings      = "mappings"      // event source mappings, in bulk: every survey
	layerState         = "state"         // state, tags, concurrency, and where declared aliases point: in GetFunction's own lane
	layerPolicies      = "policies"      // resource policies: in GetPolicy's own lane
	layerFunctions     = "functions"     // versions, alias weights, URLs, async: in the lane of all other calls
	layerSigning       = "signing"       // code signing, in bulk
	layerSettings      = "settings"      // provisioned concurrency, runtime management, recursion: with functions where declared, else slower
	layerLayers        = "layers"
	layerRoles         = "roles"
	layerQueues        = "queues"
	layerTables        = "tables"
	layerBuckets       = "buckets"
	layerNotifications = "notifications" // of buckets
	layerSecrets       = "secrets"
	layerParameters    = "parameters"
	layerWorkflows     = "workflows" // state machines, their versions and aliases, in rotation
	layerTopics        = "topics"
	layerSubscriptions = "subscriptions"
	layerRules         = "rules"   // in bulk: every survey
	layerTargets       = "targets" // of rules, and their tags: in rotation
	layerSchedules     = "schedules"
	layerOwnership     = "ownership" // what else carries this environment's tags, and the tags of what does
)

// sweeps is what one survey hands to the next.
type sweeps struct {
	mu    sync.Mutex // one survey at a time
	last  time.Time
	first time.Time
	// mappings are those of the last survey.
	mappings []types.EventSourceMappingConfiguration
}

// sweep is one survey.
type sweep struct {
	p     *Provider
	cl    *clients
	lazy  *clients // cl, for looks whose turn it is: they take tags from the listing of what is owned
	want  []manifest.Resource
	byRef map[manifest.Ref]manifest.Resource
	at    time.Time
	since time.Duration // since the last survey
	// narrow: a look at single things. Nothing is listed in bulk, and nothing
	// is told of what nobody asked about.
	narrow  bool
	first   bool           // nothing was surveyed before
	sources sync.WaitGroup // looks at what triggers are found by

	bulk         map[string]*types.FunctionConfiguration // by name
	bulkErr      error
	mappings     []types.EventSourceMappingConfiguration
	mappingsErr  error
	orphanARNs   map[string]map[string]string // tags by ARN, of owned things not wanted
	retagged     map[string]bool              // ARNs whose tags the listing of what is owned shows changed
	spares       map[*quota.Lane]*laneSpare
	functionErrs map[string]error // by physical name

	mu  sync.Mutex
	inv providers.Inventory
}

// Survey looks at everything wanted, everything else this environment owns,
// and extras. Code, configuration and mappings are looked at in bulk each
// time; what costs a call per resource is looked at in rotation, within
// Options.LayerAge, and at once where the bulk shows a change or we wrote.
func (p *Provider) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	p.sweeps.mu.Lock()
	defer p.sweeps.mu.Unlock()
	if p.sweeps.first.IsZero() {
		p.sweeps.first = p.o.Now()
	}
	s := p.newSweep(p.sweep, want)
	p.memory.index(want)
	s.first = p.sweeps.last.IsZero()
	if !s.first {
		s.since = s.at.Sub(p.sweeps.last)
		s.cl.gate.class.Store(int32(quota.Background))
	}
	before := s.cl.gate.calls.Load()
	s.lookInBulk(ctx)
	s.lookForOrphans(ctx)
	s.kinds(ctx)
	s.inv.Calls = int(s.cl.gate.calls.Load() - before)
	if err := ctx.Err(); err != nil {
		return providers.Inventory{}, err
	}
	p.sweeps.last, p.sweeps.mappings = s.at, s.mappings
	return s.inv, nil
}

func (p *Provider) newSweep(cl *clients, want []manifest.Resource) *sweep {
	lazy := *cl
	lazy.listed = true
	s := &sweep{
		p: p, cl: cl, lazy: &lazy, spares: map[*quota.Lane]*laneSpare{}, want: want, at: p.o.Now(), byRef: map[manifest.Ref]manifest.Resource{},
		functionErrs: map[string]error{},
		inv: providers.Inventory{
			Complete: true, Live: map[manifest.Ref]providers.Live{}, Orphans: map[manifest.Ref]providers.Live{},
			Errors: map[manifest.Ref]error{}, Layers: map[string]time.Time{},
		},
	}
	s.inv.At = s.at
	for _, res := range want {
		s.byRef[res.Ref] = res
	}
	return s
}

// kinds lets every kind have its part. They take it side by side, for most
// have a lane of their own; what is told by others' answers comes after, and in
// the first look all that is found by what others' looks leave in memory.
func (s *sweep) kinds(ctx context.Context) {
	one := s.narrow || s.p.o.Parallel == 1
	var group crew.Crew
	if one {
		group.SetLimit(1)
	}
	for name := range sourcesOfTriggers {
		if _, ok := s.p.kinds[name].(surveyed); ok {
			s.sources.Add(1)
		}
	}
	var after []surveyed
	for _, k := range s.p.order {
		part, ok := k.kind.(surveyed)
		switch {
		case !ok:
		case !one && (toldByOthers[k.name] || s.first && !byThemselves[k.name]):
			after = append(after, part)
		default:
			group.Go(func() error {
				if sourcesOfTriggers[k.name] {
					defer s.sources.Done() // also of a panic: others wait
				}
				part.survey(ctx, s)
				return nil
			})
		}
	}
	_ = group.Wait() // the goroutines return no error
	for _, part := range after {
		part.survey(ctx, s)
	}
}

// toldByOthers are the kinds whose survey reads what this one saw of others.
var toldByOthers = map[string]bool{
	manifest.KindWorkflowAlias: true, manifest.KindNotification: true, manifest.KindSubscription: true,
}

// sourcesOfTriggers are the kinds that mappings are found by.
var sourcesOfTriggers = map[string]bool{manifest.KindQueue: true, manifest.KindTable: true}

// byThemselves are the kinds whose first look needs no other kind's. Functions
// wait for the sources of their triggers.
var byThemselves = map[string]bool{
	manifest.KindQueue: true, manifest.KindTable: true, manifest.KindBucket: true, manifest.KindLayer: true, manifest.KindFunction: true,
	manifest.KindRole: true, manifest.KindSecret: true, manifest.KindParameter: true, manifest.KindLogGroup: true, manifest.KindAlarm: true,
	manifest.KindTopic: true,
}

// see puts an answer about a wanted resource into the inventory.
func (s *sweep) see(ref manifest.Ref, live providers.Live) {
	if live.SeenAt.IsZero() {
		live.SeenAt = s.at
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inv.Live[ref] = live
}

// fail notes a question that was not answered.
func (s *sweep) fail(ref manifest.Ref, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inv.Complete = false
	if before := s.inv.Errors[ref]; before != nil && errors.Is(err, providers.ErrNoCredentials) && errors.Is(before, providers.ErrNoCredentials) {
		return // said once
	}
	s.inv.Errors[ref] = errors.Join(s.inv.Errors[ref], err)
	delete(s.inv.Live, ref)
}

func (s *sweep) extra(e providers.Extra) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.SeenAt.IsZero() {
		e.SeenAt = s.at
	}
	s.inv.Extras = append(s.inv.Extras, e)
}

// orphan notes an owned thing nobody wants. Its Attributes["name"] is the
// physical name to delete it by.
func (s *sweep) orphan(ref manifest.Ref, live providers.Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, wanted := s.byRef[ref]; wanted { // the name moved on to another thing
		ref.Name += "@" + live.Attributes["name"]
	}
	if live.SeenAt.IsZero() {
		live.SeenAt = s.at
	}
	s.inv.Orphans[ref] = live
}

// layer notes a look of a layer; the oldest counts.
func (s *sweep) layer(name string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.inv.Layers[name]; !ok || at.Before(old) {
		s.inv.Layers[name] = at
	}
}

// ofKind are the wanted resources of a kind, by physical name.
func (s *sweep) ofKind(kind string) []manifest.Resource {
	var out []manifest.Resource
	for _, res := range s.want {
		if res.Ref.Kind == kind {
			out = append(out, res)
		}
	}
	return out
}

// parallel does the same for each, some at a time.
func parallel[T any](limit int, items []T, do func(T)) {
	var group crew.Crew
	group.SetLimit(limit)
	for _, item := range items {
		group.Go(func() error {
			do(item)
			return nil
		})
	}
	_ = group.Wait() // the goroutines return no error
}
