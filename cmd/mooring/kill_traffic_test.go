package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/web"
)

// trafficStages are those of a release with users.
const trafficStages = "stages: [{weight: 30, hold: 1s}, {weight: 100, hold: 3s}], analysis: {onUndecided: proceed, maxHold: 2s, " +
	"preTraffic: {name: ping, invoke: {function: f0, payload: {ping: true}, expect: {$.ok: true}}}}"

// trafficPolicy keeps releases at so many percent.
const trafficPolicy = `package policy.rollout.asked

pause contains {"code": "asked", "msg": "the owner has not said yes"} if input.rollout.weight == %d
`

// served is one call of a user: when, and by which version; "" for none.
type served struct {
	from, to time.Time
	version  string
}

// users call the alias of one function until they are stopped.
type users struct {
	mu   sync.Mutex
	all  []served
	done chan struct{}
	g    sync.WaitGroup
}

func (s *killStage) callers(function string) *users {
	u := &users{done: make(chan struct{})}
	for range 2 {
		u.g.Go(func() {
			for {
				select {
				case <-u.done:
					return
				case <-time.After(50 * time.Millisecond):
					one := s.serve(function)
					u.mu.Lock()
					u.all = append(u.all, one)
					u.mu.Unlock()
				}
			}
		})
	}
	s.t.Cleanup(func() { u.stop() })
	return u
}

// stop gives all that was served; it may be asked again.
func (u *users) stop() []served {
	select {
	case <-u.done:
	default:
		close(u.done)
	}
	u.g.Wait()
	return u.all
}

// reach waits until a version served somebody.
func (u *users) reach(t *testing.T, version string) {
	t.Helper()
	by := func(c served) bool { return c.version == version }
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		u.mu.Lock()
		served := slices.ContainsFunc(u.all, by)
		u.mu.Unlock()
		switch {
		case served:
			return
		case time.Now().After(deadline):
			t.Fatalf("nobody was served by version %s", version)
		}
	}
}

func (s *killStage) serve(function string) served {
	one := served{from: time.Now()}
	req, err := http.NewRequest(http.MethodPost, s.box.URL()+"/2015-03-31/functions/preview-"+function+"/invocations?Qualifier=live", strings.NewReader(`{"order":1}`))
	if err != nil {
		return one
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=shopper/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	resp, err := http.DefaultClient.Do(req)
	one.to = time.Now()
	if err != nil {
		return one
	}
	_ = resp.Body.Close() // what it says beside its head does not matter
	if resp.StatusCode == http.StatusOK && resp.Header.Get("X-Amz-Function-Error") == "" {
		one.version = resp.Header.Get("X-Amz-Executed-Version")
	}
	return one
}

// killedAt kills the daemon, lets something happen while nobody looks, and
// starts it again.
func (s *killStage) killedAt(meanwhile func()) {
	s.t.Helper()
	s.end()
	s.box.Faults.Clear()
	if meanwhile != nil {
		meanwhile()
	}
	s.begin()
}

// asked waits until the owner's word is missing.
func (s *killStage) asked() web.EnvironmentStatus {
	s.t.Helper()
	return s.until("waiting for a word", func(e web.EnvironmentStatus) bool {
		return e.Rollout.Phase == "shift" && e.Rollout.Weight == 30 && strings.Contains(e.Rollout.Paused, "the owner has not said yes")
	})
}

// TestLesson41KilledUnderTraffic kills the real program in one state of a rollout
// after another, with users at the alias: while the pre-traffic check asks, while
// a word is missing at a stage, with all of the traffic on a new version that is not in
// force, with a newer release come meanwhile, and on the way back. No call is
// lost, none goes where the alias did not point, and traffic moves as if nothing
// had been.
func TestLesson41KilledUnderTraffic(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	if err := os.MkdirAll(s.path("shop/policies/rollout"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("shop/policies/rollout/asked.rego", fmt.Sprintf(trafficPolicy, 30))
	s.repository(trafficStages, func(string) { s.declareOrders(b, "one") })
	s.begin()
	s.await(s.head())
	began := time.Now()
	u := s.callers("f0")
	unanswered := sandbox.Rule{Operation: "Invoke*", Actor: "mooring", Effect: sandbox.Effect{Status: 503, Code: "ServiceException"}}
	unmoved := sandbox.Rule{Operation: "UpdateAlias*", Actor: "mooring", Effect: sandbox.Effect{Status: 503, Code: "ServiceException"}}

	s.fault(unanswered)
	s.declareOrders(b, "two")
	second := s.push("two")
	s.awaitCall(boundary{operation: "Invoke*"}, began)
	if n := len(s.routings(began)); n != 0 {
		t.Errorf("%d moves before the check was answered", n)
	}
	s.killedAt(nil) // in the check before the traffic
	was := s.asked()
	s.killedAt(nil) // while the word is missing
	if is := s.asked(); is.Rollout.Stage != was.Rollout.Stage || is.Rollout.ElapsedSeconds < was.Rollout.ElapsedSeconds {
		t.Errorf("killed in %+v, it goes on in %+v", was.Rollout, is.Rollout)
	}
	s.killedAt(nil)
	s.asked()
	s.saysYes(true)
	s.awaitRoutings(began, 2)
	s.killedAt(nil) // with all of the traffic on what is not in force
	s.await(second)
	s.saysYes(false)

	s.declareOrders(b, "three")
	s.push("three")
	s.asked()
	u.reach(t, "3")
	s.killedAt(func() { s.declareOrders(b, "four"); s.push("four") }) // a newer release comes meanwhile
	s.until("the newer release", func(e web.EnvironmentStatus) bool { return e.Rollout.Weight == 30 && len(s.routings(began)) == 5 })
	s.asked()
	u.reach(t, "4")
	s.fault(unmoved)
	aborted := time.Now()
	s.say("rollout", "abort")
	s.awaitCall(boundary{operation: "UpdateAlias*"}, aborted)
	s.killedAt(nil) // on the way back
	s.awaitRoutings(began, 6)
	s.until("at rest", func(e web.EnvironmentStatus) bool { return e.Rollout.Phase == "" })
	s.hold(began, u.stop())
}

// hold wants the moves of the alias, no other, and each call by a version that
// the alias named while it was under way.
func (s *killStage) hold(began time.Time, calls []served) {
	s.t.Helper()
	moves := s.routings(began)
	var got []string
	for _, c := range moves {
		line := text(c.Params["functionVersion"])
		for version, weight := range weights(s.t, c) {
			line += fmt.Sprintf(" and %s at %.2f", version, weight)
		}
		got = append(got, line)
	}
	if want := []string{"1 and 2 at 0.30", "2", "2 and 3 at 0.30", "2", "2 and 4 at 0.30", "2"}; !slices.Equal(got, want) {
		s.t.Errorf("the alias moved by %q, want %q", got, want)
	}
	lost, astray, by := 0, 0, map[string]int{}
	for _, call := range calls {
		by[call.version]++
		named := map[string]bool{"1": len(moves) == 0 || !call.from.After(moves[0].At)}
		for i, c := range moves {
			// A move takes hold between its call and its answer.
			if c.At.After(call.to) || i+1 < len(moves) && moves[i+1].At.Add(2*time.Second).Before(call.from) {
				continue
			}
			named[text(c.Params["functionVersion"])] = true
			for version := range weights(s.t, c) {
				named[version] = true
			}
		}
		switch {
		case call.version == "":
			lost++
		case !named[call.version]:
			astray++
		}
	}
	s.t.Logf("%d calls, by version %v", len(calls), by)
	if lost > 0 || astray > 0 {
		s.t.Errorf("of %d calls %d were lost and %d went astray", len(calls), lost, astray)
	}
}

// saysYes has the owner of the policies let releases on, or not any more.
func (s *killStage) saysYes(yes bool) {
	s.t.Helper()
	control := s.path("control")
	if _, err := os.Stat(control); err != nil {
		s.git("clone", "-q", "-b", "main", s.path("shop.git"), control)
	}
	limit := 30
	if yes {
		limit = 101 // never
	}
	s.write("control/policies/rollout/asked.rego", fmt.Sprintf(trafficPolicy, limit))
	s.git("-C", control, "commit", "-qam", fmt.Sprintf("kept at %d percent", limit))
	s.git("-C", control, "push", "-q", "origin", "main")
}

// declareOrders writes one function whose configuration says which release it is.
func (s *killStage) declareOrders(b shopBuilds, release string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("shop/functions"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.write(filepath.Join("shop/functions", "f0.yaml"), fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: f0}
spec:
  artifact: {uri: "file:checkout-1.0.zip", digest: "%s"}
  runtime: provided.al2023
  handler: bootstrap
  timeout: 5
  environment: {ORDERS_URL: none, STRIPE_KEY: none, RELEASE: %s}
  role: {statements: []}
`, b.digests["checkout-1.0"], release))
}
