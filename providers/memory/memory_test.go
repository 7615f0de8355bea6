package memory_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/providers/providertest"
	"mooring.dev/sources/manifest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ref(kind, name string) manifest.Ref { return manifest.Ref{Kind: kind, Name: name} }

var (
	fnRef    = ref(manifest.KindFunction, "checkout")
	aliasRef = ref(manifest.KindAlias, "checkout.live")
	queueRef = ref(manifest.KindQueue, "orders")
)

func function(code, mode string, timeout int) manifest.Resource {
	env := map[string]manifest.Value{"MODE": {Literal: mode}, "API_TOKEN": {Literal: providertest.SecretValue}, "QUEUE": {Ref: queueRef, Attribute: "url"}}
	return manifest.Resource{
		Ref: fnRef, Physical: "p-checkout", Digest: "sha256:" + code + mode, Refs: []manifest.Ref{queueRef},
		Spec: &manifest.FunctionConfig{
			Artifact: manifest.Artifact{Digest: "sha256:" + code}, PackageType: "Zip", Runtime: "provided.al2023", Handler: "bootstrap",
			MemorySize: 128, Timeout: timeout, Environment: env, Role: manifest.Value{Literal: "arn:aws:iam::1:role/r"},
		},
	}
}

func resources() []manifest.Resource {
	child := func(kind, name, key string, spec any, refs ...manifest.Ref) manifest.Resource {
		return manifest.Resource{Ref: ref(kind, name), Parent: fnRef, Physical: "p-checkout", Key: key, Spec: spec, Refs: refs}
	}
	return []manifest.Resource{
		{Ref: queueRef, Physical: "p-orders", Stateful: true, Spec: &manifest.QueueSpec{VisibilityTimeout: 30, MessageRetentionPeriod: 345600}},
		function("one", "a", 3),
		child(manifest.KindAlias, "checkout.live", "live", &manifest.AliasSpec{}, fnRef),
		child(manifest.KindTrigger, "checkout.orders", "orders", &manifest.TriggerSpec{Alias: aliasRef, Queue: manifest.Value{Ref: queueRef}, Enabled: true, BatchSize: 10}, aliasRef, queueRef),
		child(manifest.KindPermission, "checkout.partner", "partner", &manifest.PermissionSpec{Alias: aliasRef, Action: "lambda:InvokeFunction", Principal: "222222222222"}, aliasRef),
	}
}

type clock struct{ now time.Time }

func (c *clock) pass(d time.Duration) { c.now = c.now.Add(d) }

func platform(o memory.Options) (*memory.Platform, *clock) {
	c := &clock{now: start}
	o.Now = func() time.Time { return c.now }
	return memory.New(o), c
}

func TestContract(t *testing.T) {
	for name, o := range map[string]memory.Options{"at once": {}, "awkward": {Settle: 30 * time.Second, Activate: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Options{New: func(*testing.T) *providertest.Platform { return underTest(o) }})
		})
	}
}

func underTest(o memory.Options) *providertest.Platform {
	p, c := platform(o)
	all := resources()
	hand := p.Manual("eve")
	return &providertest.Platform{
		Provider: p.Environment("shop", "preview"), Other: p.Environment("shop", "production"),
		Resources: all, Changed: function("two", "b", 7),
		Edit: func(context.Context) error { return hand.Set(memory.NameOf(all[1]), "environment.MODE", `"edited"`) },
		AddExtra: func(context.Context) error {
			return hand.Add(memory.Name{Kind: manifest.KindPermission, Physical: "p-checkout", Key: "anyone"}, map[string]string{"principal": `"*"`})
		},
		AddUntagged: func(context.Context) error { return hand.Add(memory.NameOf(all[0]), nil) },
		Wait:        func() { c.pass(10 * time.Second) },
	}
}

// The suite itself: a provider that breaks one promise is caught by it.
func TestContractCatches(t *testing.T) {
	broken := map[string]func(providers.Provider) providers.Provider{
		"DeleteRefusesOthers": func(p providers.Provider) providers.Provider { return careless{p} },
		"AbsentIsZero":        func(p providers.Provider) providers.Provider { return imagining{p} },
		"RouteKeepsItsGuard":  func(p providers.Provider) providers.Provider { return unguarded{p} },
	}
	for clause, wrap := range broken {
		t.Run(clause, func(t *testing.T) {
			// As a listed difference the clause is run and must fail: a
			// difference that is not there fails the suite.
			providertest.Run(t, providertest.Options{
				New: func(*testing.T) *providertest.Platform {
					u := underTest(memory.Options{})
					u.Provider = wrap(u.Provider)
					if u.Other != nil {
						u.Other = wrap(u.Other)
					}
					return u
				},
				Only:        []string{clause},
				Differences: map[string]string{clause: "deliberately broken"},
			})
		})
	}
}

// careless says that everything was deleted.
type careless struct{ providers.Provider }

func (c careless) Delete(context.Context, manifest.Resource, providers.Guard) (providers.Receipt, error) {
	return providers.Receipt{}, nil
}

// imagining sees what is not there.
type imagining struct{ providers.Provider }

func (i imagining) Observe(ctx context.Context, want ...manifest.Resource) (map[manifest.Ref]providers.Live, error) {
	seen, err := i.Provider.Observe(ctx, want...)
	for r, l := range seen {
		l.Exists = true
		seen[r] = l
	}
	return seen, err
}

// unguarded asks for the newest revision before it routes.
type unguarded struct{ providers.Provider }

func (u unguarded) Route(ctx context.Context, c providers.Change, to providers.Routing) (providers.Receipt, error) {
	seen, err := u.Observe(ctx, c.Resource)
	if err != nil {
		return providers.Receipt{}, err
	}
	c.Guard = seen[c.Resource.Ref].Guard
	return u.Provider.Route(ctx, c, to)
}

// live makes everything and gives the provider.
func live(t *testing.T, p *memory.Platform) *memory.Provider {
	t.Helper()
	pr := p.Environment("shop", "preview")
	ctx := t.Context()
	b := providers.Bindings{}
	for _, res := range resources() {
		c := providers.Change{Resource: res, Bindings: b, Release: "r1"}
		var err error
		if res.Ref.Kind == manifest.KindAlias {
			var v providers.Version
			c.Resource = resources()[1]
			if v, _, err = pr.Publish(ctx, withGuard(t, pr, c)); err == nil {
				c.Resource, c.Guard = res, ""
				_, err = pr.Route(ctx, c, providers.Routing{Version: v.Number})
			}
		} else {
			_, err = pr.Put(ctx, c)
		}
		if err != nil {
			t.Fatal(err)
		}
		b[res.Ref] = see(t, pr, res).Attributes
	}
	return pr
}

func see(t *testing.T, pr *memory.Provider, res manifest.Resource) providers.Live {
	t.Helper()
	seen, err := pr.Observe(t.Context(), res)
	if err != nil {
		t.Fatal(err)
	}
	return seen[res.Ref]
}

func withGuard(t *testing.T, pr *memory.Provider, c providers.Change) providers.Change {
	t.Helper()
	c.Guard = see(t, pr, c.Resource).Guard
	return c
}

func TestAnUpdateCountsTwoRevisions(t *testing.T) {
	p, c := platform(memory.Options{Settle: time.Minute})
	pr := live2(t, p, c)
	fn := function("one", "b", 3)
	before := see(t, pr, fn).Guard
	b := providers.Bindings{queueRef: see(t, pr, resources()[0]).Attributes}
	if _, err := pr.Put(t.Context(), withGuard(t, pr, providers.Change{Resource: fn, Bindings: b, Release: "r2"})); err != nil {
		t.Fatal(err)
	}
	during := see(t, pr, fn)
	if !during.Settling || during.Guard == before {
		t.Errorf("want it settling under a new revision: %+v", during)
	}
	_, err := pr.Put(t.Context(), withGuard(t, pr, providers.Change{Resource: function("one", "c", 3), Bindings: b, Release: "r2"}))
	if providers.KindOf(err) != providers.Conflict || err == nil {
		t.Errorf("a write while settling: %v", err)
	}
	c.pass(time.Minute)
	after := see(t, pr, fn)
	if after.Settling || after.Guard == during.Guard {
		t.Errorf("want a second revision once it holds: %+v", after)
	}
}

// live2 makes a queue and a function and lets them settle.
func live2(t *testing.T, p *memory.Platform, c *clock) *memory.Provider {
	t.Helper()
	pr := p.Environment("shop", "preview")
	b := providers.Bindings{}
	for _, res := range resources()[:2] {
		if _, err := pr.Put(t.Context(), providers.Change{Resource: res, Bindings: b, Release: "r1"}); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Hour)
		b[res.Ref] = see(t, pr, res).Attributes
	}
	return pr
}

func TestReadsMayBeStale(t *testing.T) {
	p, c := platform(memory.Options{Stale: time.Minute})
	pr := live2(t, p, c)
	fn := resources()[1]
	if err := p.Manual("eve").Set(memory.NameOf(fn), "timeout", "9"); err != nil {
		t.Fatal(err)
	}
	if got := see(t, pr, fn).Spec.Fields["timeout"]; got != "3" {
		t.Errorf("want the value before, read %s", got)
	}
	c.pass(time.Minute)
	if got := see(t, pr, fn).Spec.Fields["timeout"]; got != "9" {
		t.Errorf("want the new value, read %s", got)
	}
}

func TestFaultsBeforeAndAfter(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		fail := errors.New("lost")
		p, _ := platform(memory.Options{Inject: func(op string, _ manifest.Ref) error {
			if op == "put:"+when {
				return fail
			}
			return nil
		}})
		pr := p.Environment("shop", "preview")
		_, err := pr.Put(t.Context(), providers.Change{Resource: resources()[0], Release: "r"})
		if !errors.Is(err, fail) || providers.KindOf(err) != providers.Transient {
			t.Errorf("%s: %v", when, err)
		}
		if exists := see(t, pr, resources()[0]).Exists; exists != (when == "after") {
			t.Errorf("%s: exists %v", when, exists)
		}
	}
}

func TestPartialListingsSaySo(t *testing.T) {
	partial := true
	p, _ := platform(memory.Options{Partial: func() bool { return partial }})
	pr := live(t, p)
	inv, err := pr.Survey(t.Context(), resources())
	if err != nil || inv.Complete || len(inv.Live) == len(resources()) {
		t.Errorf("complete %v, %d of %d, %v", inv.Complete, len(inv.Live), len(resources()), err)
	}
	partial = false
	if inv, _ = pr.Survey(t.Context(), resources()); !inv.Complete {
		t.Error("a whole listing is called partial")
	}
}

func TestWhoDidItIsKept(t *testing.T) {
	p, _ := platform(memory.Options{})
	pr := live(t, p)
	if err := p.Manual("user/bob").Point("p-checkout", "live", providers.Routing{Version: "1"}); err != nil {
		t.Fatal(err)
	}
	actors, err := pr.Actors(t.Context(), resources()[2], start)
	if err != nil || len(actors) < 2 || actors[len(actors)-1].Name != "user/bob" && actors[0].Name != "user/bob" {
		t.Errorf("%+v %v", actors, err)
	}
}

func TestTrafficFollowsWeights(t *testing.T) {
	p, c := platform(memory.Options{})
	pr := live(t, p)
	p.SetTraffic("p-checkout", memory.Traffic{PerSecond: 10})
	p.SetErrors("sha256:two", 0.5)
	b := providers.Bindings{queueRef: see(t, pr, resources()[0]).Attributes}
	two := function("two", "a", 3)
	for range 2 {
		if _, err := pr.Put(t.Context(), withGuard(t, pr, providers.Change{Resource: two, Bindings: b, Release: "r2"})); err != nil {
			t.Fatal(err)
		}
	}
	v, _, err := pr.Publish(t.Context(), withGuard(t, pr, providers.Change{Resource: two, Bindings: b}))
	if err != nil {
		t.Fatal(err)
	}
	alias := resources()[2]
	from := c.now
	if _, err := pr.Route(t.Context(), withGuard(t, pr, providers.Change{Resource: alias}), providers.Routing{Version: "1", Canary: v.Number, Weight: providers.Percent(20)}); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Minute)
	for version, want := range map[string]providers.Sample{"1": {Known: true, Calls: 480}, v.Number: {Known: true, Calls: 120, Errors: 60}} {
		got, err := pr.Measure(t.Context(), alias, version, providers.Asked{Window: providers.Window{From: from, To: c.now}})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("version %s: %+v, want %+v (%v)", version, got, want, err)
		}
	}
	p.SetTraffic("p-checkout", memory.Traffic{PerSecond: 10, Durations: map[string]time.Duration{"1": 100 * time.Millisecond}})
	slow := providers.Asked{Window: providers.Window{From: from, To: c.now}, Latency: []providers.AskedLatency{{Percentile: 90, Threshold: 100 * time.Millisecond}, {Percentile: 99}}}
	got, err := pr.Measure(t.Context(), alias, "1", slow)
	if err != nil || len(got.Latency) != 2 {
		t.Fatalf("two percentiles: %+v, %v", got, err)
	}
	if l := got.Latency[0]; !l.Known || l.Percentile != 90 || l.Calls != got.Calls || l.Above < got.Calls/3 || l.Above > got.Calls*2/5 || l.Quantile < 200*time.Millisecond || l.Quantile > 300*time.Millisecond {
		t.Errorf("exponential durations of mean 100ms: %+v", got)
	}
	if l := got.Latency[1]; !l.Known || l.Percentile != 99 || l.Threshold != 0 || l.Above != 0 || l.Quantile < 400*time.Millisecond || l.Quantile > 500*time.Millisecond {
		t.Errorf("the other percentile of them: %+v", got)
	}
	if got, err := pr.Measure(t.Context(), alias, v.Number, slow); err != nil || !got.Known || got.Latency[0] != (providers.Latency{Percentile: 90}) {
		t.Errorf("no durations are not durations of 0: %+v, %v", got, err)
	}
	p.SetTraffic("p-checkout", memory.Traffic{Unknown: true})
	unknown, err := pr.Measure(t.Context(), alias, "1", providers.Asked{Window: providers.Window{From: from, To: c.now}})
	if err != nil || unknown.Known {
		t.Errorf("no answer is not zero: %+v %v", unknown, err)
	}
}

func TestCleanKeepsWhatIsReferredTo(t *testing.T) {
	p, _ := platform(memory.Options{})
	pr := live(t, p)
	b := providers.Bindings{queueRef: see(t, pr, resources()[0]).Attributes}
	for _, mode := range []string{"b", "c", "d", "e"} {
		fn := function("one", mode, 3)
		if _, err := pr.Put(t.Context(), withGuard(t, pr, providers.Change{Resource: fn, Bindings: b, Release: "r"})); err != nil {
			t.Fatal(err)
		}
		if _, _, err := pr.Publish(t.Context(), withGuard(t, pr, providers.Change{Resource: fn, Bindings: b})); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pr.Clean(t.Context(), resources()[1], []string{"3"}, 1); err != nil {
		t.Fatal(err)
	}
	got := p.Versions("p-checkout")
	for number, want := range map[string]bool{"1": true, "2": false, "3": true, "4": false, "5": true} {
		if _, ok := got[number]; ok != want {
			t.Errorf("version %s: kept %v, want %v (%v)", number, ok, want, got)
		}
	}
}

func TestInvoke(t *testing.T) {
	p, _ := platform(memory.Options{})
	pr := live(t, p)
	fn := resources()[1]
	if out, failed, err := pr.Invoke(t.Context(), fn, "live", nil); err != nil || failed || string(out) != `{"ok":true}` {
		t.Errorf("%s %v %v", out, failed, err)
	}
	p.SetErrors("sha256:one", 1)
	if _, failed, err := pr.Invoke(t.Context(), fn, "1", nil); err != nil || !failed {
		t.Errorf("a broken code answers: %v %v", failed, err)
	}
	if _, _, err := pr.Invoke(t.Context(), fn, "9", nil); providers.KindOf(err) != providers.Invalid {
		t.Errorf("an unknown version: %v", err)
	}
}
