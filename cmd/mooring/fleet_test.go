package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/journal"
	"mooring.dev/sources/manifest"
)

var fleetSizes = flag.String("fleet", "", "print the figures of fleets of these sizes, as 50,200,1000; terraform is asked about those up to 200")

// fleetStep is how many functions a commit adds: more changes than 5,000 are
// held for a person.
const fleetStep = 500

// fleet is a number of functions, each with a role, a queue with a dead-letter
// queue, a mapping, a permission and a log group, deployed by the daemon.
type fleet struct {
	*rig
	size      int
	deployed  time.Duration
	resources []manifest.Resource
	target    manifest.AWSTarget

	provider *aws.Provider
	model    *quota.Model // at AWS's rates
	clock    *fleetClock
	outside  errands
	last     time.Time // when the last survey began
}

// TestFleet counts what surveys of a fleet cost by lane, and how long one
// change of each layer goes unseen, in minutes of a clock that is moved
// forward. Without -fleet it holds a small fleet against the budget; with it,
// it prints the figures, terraform's beside them.
func TestFleet(t *testing.T) {
	sizes := []int{10}
	if *fleetSizes != "" {
		sizes = nil
		for text := range strings.SplitSeq(*fleetSizes, ",") {
			n, err := strconv.Atoi(text)
			check(t, err)
			sizes = append(sizes, n)
		}
	}
	for _, n := range sizes {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			f, terraform := newFleet(t, n), ""
			var refresh refreshed
			if *fleetSizes != "" && n <= 200 {
				refresh, terraform = f.terraform(t)
			}
			f.outside = newErrands()
			defer close(f.outside.do)
			entered := f.clock.Now()
			synctest.Test(t, func(t *testing.T) {
				f.t = t
				f.clock.enter(entered)
				f.try(t, refresh, terraform)
			})
		})
	}
}

// try is TestFleet in time that passes only while everybody waits.
func (f *fleet) try(t *testing.T, refresh refreshed, terraform string) {
	n := f.size
	f.open()
	first := f.measure(f.survey)
	f.warm()
	steady := f.steady(30)
	seen := f.changes()
	budget := n/50 + n/100 + 10
	if got := steady.bulk; got > budget {
		t.Errorf("a steady survey makes %d calls for code, configuration and mappings; the budget is %d", got, budget)
	}
	if floor := f.floor(first); first.waits > floor+floor/10+15*time.Second {
		t.Errorf("the first look takes %v; the lanes allow %v", first.waits, floor)
	}
	for layer, age := range steady.ages {
		if most := f.promised(layer); age > most {
			t.Errorf("%s is %v old, more than the %v its lane allows", layer, age, most)
		}
	}
	if steady.waits > 75*time.Second {
		t.Errorf("a steady survey lasts %v at AWS's rates: what is listed in bulk is seen as late", steady.waits)
	}
	for _, use := range f.model.Lanes() {
		if share := float64(steady.calls[use.Name]) / use.PerSecond / 60; share > 0.2 {
			t.Errorf("steady surveys take %.0f%% of %s", 100*share, use.Name)
		}
	}
	if *fleetSizes == "" {
		return
	}
	fmt.Print(f.report(first, steady, seen), terraform)
	if refresh.operations != nil {
		fmt.Print(f.beside(first, steady, refresh))
	}
}

func newFleet(t testing.TB, n int) *fleet {
	t.Helper()
	sweepCredentials(t)
	repo := newShelf()
	clock := &fleetClock{}
	r := &rig{
		t: t, cloud: newCloud(t, sandbox.Options{Records: 100, Now: clock.Now}), repo: repo, push: repo.commit, store: journal.NewMemory(), dir: t.TempDir(),
		files: newSweepFiles(t), pace: sweepPace(), log: zap.NewNop(), patience: 3*time.Minute + time.Duration(n)*time.Second, policy: &evaluators{made: map[string]policy.Evaluator{}},
	}
	r.pace.Parallel = 16
	f := &fleet{rig: r, size: n, clock: clock}
	control := map[string]string{"mooring.yaml": fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: %s
      provider: {aws: {region: eu-west-1, account: "111111111111", endpoint: "%s"}}
      rollout: {strategy: allAtOnce}
      drift: {interval: 10m}
`, sweepEnvironment, r.cloud.door.URL)}
	tree, sha, started := map[string]string{}, "", time.Now()
	r.push("main", control)
	for from := 0; from < n; from += fleetStep {
		f.manifests(tree, from, min(n, from+fleetStep))
		sha = r.push(sweepBranch, tree)
		if from == 0 {
			r.start()
		}
		r.wait("the fleet", r.atRest(sha, "in_sync"))
	}
	f.deployed = time.Since(started)
	r.halt()
	f.render(control, tree, sha)
	return f
}

func fleetName(i int) string { return fmt.Sprintf("f%04d", i) }

// manifests adds some functions to a tree.
func (f *fleet) manifests(tree map[string]string, from, to int) {
	for i := from; i < to; i++ {
		tree[fleetName(i)+".yaml"] = fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: %[1]s}
spec:
  artifact: {uri: 'file:checkout-1.zip', digest: '%[2]s'}
  runtime: provided.al2023
  handler: bootstrap
  environment: {LEVEL: info, NUMBER: "%[1]s"}
  role: {statements: [{Sid: Put, Effect: Allow, Action: ['cloudwatch:PutMetricData'], Resource: '*'}]}
  triggers: {orders: {queue: Queue/%[1]s-q}}
  permissions: {shop-api: {principal: apigateway.amazonaws.com, sourceAccount: "111111111111"}}
  logGroup: {retentionInDays: 30}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: %[1]s-q}
spec: {redrive: {deadLetter: Queue/%[1]s-d, maxReceiveCount: 5}}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: %[1]s-d}
`, fleetName(i), f.files.digests["checkout-1"])
	}
}

// render is what the provider is asked about.
func (f *fleet) render(control, tree map[string]string, sha string) {
	pipeline, err := manifest.LoadPipeline(mapFS(control))
	check(f.t, err)
	var loader manifest.Loader
	docs, err := loader.Load(mapFS(tree), manifest.LoadOptions{})
	check(f.t, err)
	rel, err := manifest.Render(docs, pipeline, sweepEnvironment, sha)
	check(f.t, err)
	f.resources = rel.Resources
	e, _ := pipeline.Environment(sweepEnvironment)
	f.target = *e.Provider.AWS
}

func mapFS(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// open is a provider with AWS's ages and rates, and a clock of its own.
func (f *fleet) open() {
	cfg, err := aws.Load(context.Background(), aws.LoadOptions{Target: f.target, Instance: "fleet"})
	check(f.t, err)
	cfg.HTTPClient = directly{f.cloud}
	f.model = quota.New(quota.Options{})
	f.provider, err = aws.New(aws.Options{
		Config: cfg, Target: f.target, Pipeline: "shop", Environment: sweepEnvironment, Quota: f.model,
		Tokens: []byte("0123456789abcdef0123456789abcdef"), Now: f.clock.Now,
	})
	check(f.t, err)
}

// promised is how old a layer may become: ten minutes and the minute between
// surveys, or as long as a round takes of what sweeps may have of the lane, of
// which rotations use forty seconds a minute.
func (f *fleet) promised(layer string) time.Duration {
	most, n, perSurvey := 11*time.Minute, float64(f.size), 0.0
	switch layer {
	case "functions": // aliases, URLs, asynchronous invocation, and versions about once an hour
		perSurvey = (0.8*0.2*15*40 - n/60) / 3
	case "settings": // recursion, provisioned concurrency, runtime of two versions
		most, perSurvey = 61*time.Minute, 0.2*0.2*15*40/4
	case "policies": // of the function and its alias
		perSurvey = 0.2 * 15 * 40 / 2
	case "logFilters":
		perSurvey = 0.2*10*40 - n/50
	default:
		return most
	}
	return max(most, time.Duration(1.25*n/perSurvey*float64(time.Minute))+2*time.Minute)
}

// warm surveys until the first look at everything is two rounds ago: after it
// everything becomes due together, and only then rotations go evenly. It gives up after some hours: rounds of settings
// are longer.
func (f *fleet) warm() {
	until := f.clock.Now().Add(min(2*time.Hour, 2*f.promised("functions")))
	for f.last.Before(until) {
		f.survey()
	}
}

// survey is one look, a minute after the one before began, or as soon as that
// was over.
func (f *fleet) survey() providers.Inventory {
	f.t.Helper()
	f.clock.until(f.last.Add(time.Minute))
	f.last = f.clock.Now()
	inv, err := f.provider.Survey(context.Background(), f.resources)
	check(f.t, err)
	if !inv.Complete {
		f.t.Fatalf("a survey is incomplete: %v", inv.Errors)
	}
	return inv
}

// cost is what something took.
type cost struct {
	calls map[string]int64 // by lane
	bulk  int              // ListFunctions and ListEventSourceMappings
	took  time.Duration    // here, at no rate at all
	waits time.Duration    // at AWS's rates
	bytes int64            // kept
	ages  map[string]time.Duration
	live  int
}

func (f *fleet) measure(do func() providers.Inventory) cost {
	before, bulk, kept, started := f.lanes(), f.bulk(), heapInUse(), machineTime()
	inv := do()
	c := cost{calls: f.lanes(), bulk: f.bulk() - bulk, took: machineTime() - started, waits: f.clock.Now().Sub(f.last), live: len(inv.Live), ages: map[string]time.Duration{}}
	c.bytes = heapInUse() - kept
	for lane, n := range before {
		c.calls[lane] -= n
	}
	for layer, at := range inv.Layers {
		c.ages[layer] = f.last.Sub(at)
	}
	runtime.KeepAlive(inv)
	return c
}

func (f *fleet) lanes() map[string]int64 {
	out := map[string]int64{}
	for _, use := range f.model.Lanes() {
		out[use.Name] = use.Calls
	}
	return out
}

func (f *fleet) bulk() int {
	counts := f.cloud.Counts().Operations
	return counts["lambda:ListFunctions"] + counts["lambda:ListEventSourceMappings"]
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// steady are surveys a minute apart, in which nothing changes: calls a minute,
// time on average, and the oldest that each layer ever was.
func (f *fleet) steady(surveys int) cost {
	ages, began := map[string]time.Duration{}, f.last
	c := f.measure(func() providers.Inventory {
		var inv providers.Inventory
		for range surveys {
			inv = f.survey()
			for layer, at := range inv.Layers {
				ages[layer] = max(ages[layer], f.last.Sub(at))
			}
		}
		return inv
	})
	minutes := f.last.Sub(began).Minutes()
	for lane, n := range c.calls {
		c.calls[lane] = int64(float64(n) / minutes)
	}
	c.bulk, c.took, c.ages = c.bulk/surveys, c.took/time.Duration(surveys), ages
	return c
}

// floor is how long the lanes keep what asks for everything: the fullest one,
// at a third of its rate.
func (f *fleet) floor(c cost) time.Duration {
	var longest float64
	for _, use := range f.model.Lanes() {
		longest = max(longest, float64(c.calls[use.Name])/use.Allowed)
	}
	return time.Duration(longest * float64(time.Second))
}

// report is the figures as Markdown.
func (f *fleet) report(first, steady cost, seen map[string][]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %d functions, %d resources\n\n", f.size, first.live)
	fmt.Fprintf(&b, "First deployment by the daemon: %.0f s. First look at everything: %.1f s here, %v at a third of AWS's rates, which allow %v; later looks: %.2f s here, the last %v at a fifth. Kept in memory: %.1f KB a resource.\n\n",
		f.deployed.Seconds(), first.took.Seconds(), first.waits.Round(time.Second), f.floor(first).Round(time.Second), steady.took.Seconds(), steady.waits.Round(time.Second), float64(first.bytes)/1024/float64(first.live))
	b.WriteString("| lane | AWS allows a second | calls of the first look | calls a minute after that | share of the lane |\n|---|---|---|---|---|\n")
	for _, use := range f.model.Lanes() {
		calls := float64(steady.calls[use.Name])
		fmt.Fprintf(&b, "| %s | %.0f | %d | %.0f | %.1f%% |\n", use.Name, use.PerSecond, first.calls[use.Name], calls, 100*calls/use.PerSecond/60)
	}
	fmt.Fprintf(&b, "\nOf these, code, configuration and mappings in bulk: %d calls a minute.\n\n| layer | oldest look |\n|---|---|\n", steady.bulk)
	for _, layer := range slices.Sorted(maps.Keys(steady.ages)) {
		fmt.Fprintf(&b, "| %s | %v |\n", layer, steady.ages[layer])
	}
	b.WriteString("\n| one change of | seen after, minutes: the median | the last of ten |\n|---|---|---|\n")
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		after := seen[what]
		slices.Sort(after)
		fmt.Fprintf(&b, "| %s | %d | %d |\n", what, after[len(after)/2], after[len(after)-1])
	}
	return b.String()
}
