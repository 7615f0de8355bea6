package aws

import (
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// memory is what the provider remembers of its last looks. It is only ever a
// saving of calls: everything in it can be asked again.
type memory struct {
	mu        sync.Mutex
	functions map[string]*functionLook           // by physical name
	versions  map[string]*versionsLook           // by physical name
	published map[string]map[string]versionLook  // by physical name and number: immutable once ready
	machines  map[string]machineVersions         // of state machines, by physical name
	signing   map[string]signingLook             // by physical name
	recursion map[string]recursionLook           // by physical name
	settings  map[string]*settingsLook           // by physical name
	prepared  map[string]string                  // the version last made ready, by physical name
	weights   map[string]weightsLook             // by alias's ARN
	code      map[string]string                  // digest of a layer version's zip, by its ARN and time: immutable
	queueURLs map[string]string                  // by physical name
	mappings  map[manifest.Ref]string            // trigger to UUID
	owners    map[string]ownerLook               // of mappings, by UUID
	tags      map[string]map[string]string       // last asked for, by ARN
	wrote     map[manifest.Ref]written           // eventually consistent writes of our own
	known     map[manifest.Ref]map[string]string // attributes seen of resources

	fronts    map[string]string           // the alias last seen, by a function's physical name
	layers    map[string]*functionLayers  // by physical name
	policies  map[string]*policiesLook    // by physical name
	roles     map[string]*roleLook        // by name; nil for one that is not there
	queues    map[string]*queueLook       // by name; nil for one that is not there
	plain     map[plainKey]plainLook      // what is looked at one by one
	account   string                      // that the credentials lead to; "" until asked
	documents map[string]notificationLook // of buckets, by name
	alarms    map[string]*alarmLook       // by name; nil for one that is not there
	alarmed   time.Time                   // of the last bulk reading of alarms
	groups    map[string]*logGroupLook    // of logs, by name; nil for one that is not there
	grouped   time.Time                   // of the last bulk reading of log groups
	metering  meteringLook                // metric filters of all log groups
	signed    time.Time                   // of the last bulk listing of code signing
	entries   map[manifest.Ref]string     // the bucket each notification was seen on
	params    paramsLook
	owned     ownedLook
	apis      *apisLook
	listed    layersLook
	wanted    map[string][]manifest.Resource // of the last survey, by physical name
	roled     time.Time                      // of the last bulk listing of roles
	whole     bool                           // that listing left nothing out
	touched   map[string]int                 // by lock name: writes and looks that make a sweep's look old
	messaging                                // what is published and scheduled
}

// functionLook is one answer of GetFunction.
type functionLook struct {
	at          time.Time
	absent      bool
	config      types.FunctionConfiguration
	sourceKMS   string
	tags        map[string]string
	tagsUnseen  string // why tags are unknown
	concurrency *int32
	fingerprint string // of the bulk listing this look belongs to; "" if none
}

func (l *functionLook) owner() providers.Owner { return ownerOf(l.tags) }

// versionsLook is one listing of versions.
type versionsLook struct {
	at       time.Time
	revision string // of $LATEST, which every publication moves
	numbers  []string
}

type versionLook struct {
	identity string // of the configuration, so that a reused number is noticed
	version  providers.Version
	settled  bool
}

type signingLook struct {
	at     time.Time
	arn    string
	unseen string
}

type ownerLook struct {
	at   time.Time
	tags map[string]string
}

// written is a write whose effect AWS shows late.
type written struct {
	at     time.Time
	digest string // of the form that was written
	before string // of the form it took the place of, where that is kept
	gone   bool   // it was deleted
}

func (m *memory) init() {
	m.functions = map[string]*functionLook{}
	m.versions = map[string]*versionsLook{}
	m.published = map[string]map[string]versionLook{}
	m.signing = map[string]signingLook{}
	m.recursion = map[string]recursionLook{}
	m.settings = map[string]*settingsLook{}
	m.prepared = map[string]string{}
	m.code = map[string]string{}
	m.weights = map[string]weightsLook{}
	m.machines = map[string]machineVersions{}
	m.queueURLs = map[string]string{}
	m.mappings = map[manifest.Ref]string{}
	m.owners = map[string]ownerLook{}
	m.tags = map[string]map[string]string{}
	m.wrote = map[manifest.Ref]written{}
	m.known = map[manifest.Ref]map[string]string{}
	m.fronts = map[string]string{}
	m.layers = map[string]*functionLayers{}
	m.policies = map[string]*policiesLook{}
	m.roles = map[string]*roleLook{}
	m.queues = map[string]*queueLook{}
	m.plain = map[plainKey]plainLook{}
	m.documents = map[string]notificationLook{}
	m.alarms = map[string]*alarmLook{}
	m.groups = map[string]*logGroupLook{}
	m.entries = map[manifest.Ref]string{}
	m.messaging.init()
	m.touched = map[string]int{}
}

// remember and recall are the two doors to a map of the memory.
func remember[K comparable, V any](m *memory, in map[K]V, key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in[key] = v
}

func recall[K comparable, V any](m *memory, in map[K]V, key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := in[key]
	return v, ok
}

func forget[K comparable, V any](m *memory, in map[K]V, key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(in, key)
}

// forgetFunction makes what a write may have changed due for a new look. Who
// owns the function is still remembered: a rollback needs no question first.
func (m *memory) forgetFunction(physical string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if l := m.functions[physical]; l != nil {
		stale := *l
		stale.at, stale.fingerprint = time.Time{}, ""
		m.functions[physical] = &stale
	}
	delete(m.versions, physical)
}

// index remembers what a survey was asked about, by physical name.
func (m *memory) index(want []manifest.Resource) {
	byName := make(map[string][]manifest.Resource, len(want))
	for _, res := range want {
		byName[res.Physical] = append(byName[res.Physical], res)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = byName
}

// touch makes the next sweep look anew at a resource that was written, or
// asked for by itself.
func (m *memory) touch(res manifest.Resource) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.touched[lockName(res)]++
}

func (m *memory) touches(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.touched[name]
}
