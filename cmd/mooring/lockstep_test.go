package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// fleetOfTen is how many functions a release of many has.
const fleetOfTen = 10

// tenStages lets the first stage pass by its time, without a call, and judges
// the second, which lasts longer than the test.
const tenStages = "stages: [{weight: 10, hold: 1s}, {weight: 50, hold: 10m}, {weight: 100, hold: 1s}], analysis: {onUndecided: proceed, maxHold: 2s}"

func tenth(i int) string { return fmt.Sprintf("f%d", i) }

// declareTen writes ten functions of one build, one of them lame.
func (s *killStage) declareTen(b shopBuilds, version string, lame int) {
	s.t.Helper()
	if err := os.MkdirAll(s.path("shop/functions"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	for i := range fleetOfTen {
		s.declareTenth(b, i, version, i == lame)
	}
}

// declareTenth writes one function called tenth(i); a lame one lacks what its
// code needs, so that every call of it fails.
func (s *killStage) declareTenth(b shopBuilds, i int, version string, lame bool) {
	s.t.Helper()
	key := ", STRIPE_KEY: none"
	if lame {
		key = ""
	}
	s.write(filepath.Join("shop/functions", tenth(i)+".yaml"), fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: %s}
spec:
  artifact: {uri: "file:checkout-%s.zip", digest: "%s"}
  runtime: provided.al2023
  handler: bootstrap
  timeout: 5
  environment: {ORDERS_URL: none%s}
  role: {statements: []}
`, tenth(i), version, b.digests["checkout-"+version], key))
}

// TestTenMoveInLockstep releases ten functions to the real program with real
// calls: all ten move by the same stages, and when one of them turns out bad,
// all ten go back, each by one call, while nobody's order at stable is lost.
func TestTenMoveInLockstep(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	s.repository(tenStages, func(string) { s.declareTen(b, "1.0", -1) })
	s.begin()
	s.await(s.head())
	began := time.Now()
	const lame = 7
	s.declareTen(b, "1.1", lame)
	s.push("ten of 1.1")
	s.awaitRoutings(began, 2*fleetOfTen)
	stop := s.callAll()
	s.awaitRoutings(began, 3*fleetOfTen)
	lost := stop()
	st, err := s.status()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); st.Rollout.Phase != "" && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if st, err = s.status(); err != nil {
			t.Fatal(err)
		}
	}
	routings := s.routings(began)
	if len(routings) != 3*fleetOfTen {
		t.Fatalf("%d routings, want %d", len(routings), 3*fleetOfTen)
	}
	t.Logf("from the last answer of metrics to ten aliases at stable: %v", routings[len(routings)-1].At.Sub(s.measured(routings[2*fleetOfTen].At)))
	for stage, want := range []float64{0.1, 0.5, 0} {
		s.lockstep(routings[stage*fleetOfTen:(stage+1)*fleetOfTen], want)
	}
	if st.Rollout.Phase != "" || !strings.Contains(st.Reason, tenth(lame)) {
		t.Errorf("in the end it is in %q, %s: %s", st.Rollout.Phase, st.State, st.Reason)
	}
	for i, n := range lost {
		if (n > 0) != (i == lame) {
			t.Errorf("%s lost %d orders", tenth(i), n)
		}
	}
}

// measured is when metrics were last asked for before a time.
func (s *killStage) measured(before time.Time) (at time.Time) {
	for _, c := range s.box.Calls(time.Time{}) {
		if c.Operation == "GetMetricData" && c.At.Before(before) {
			at = c.At
		}
	}
	return at
}

// lockstep wants one routing of each of the ten, all to the same weight; a
// weight of 0 is all of it at version 1.
func (s *killStage) lockstep(routings []wire.Call, weight float64) {
	s.t.Helper()
	seen := map[string]bool{}
	for _, c := range routings {
		seen[fmt.Sprint(c.Params["functionName"])] = true
		got := weights(s.t, c)
		if fmt.Sprint(c.Params["functionVersion"]) != "1" || weight == 0 && len(got) != 0 || weight > 0 && got["2"] != weight {
			s.t.Errorf("%v is routed to %v with %v, want %v of version 2", c.Params["functionName"], c.Params["functionVersion"], got, weight)
		}
	}
	if len(seen) != fleetOfTen {
		s.t.Errorf("at %v there are %d functions: %v", weight, len(seen), seen)
	}
}

// routings are the daemon's moves of aliases that took hold, in order.
func (s *killStage) routings(since time.Time) (out []wire.Call) {
	for _, c := range s.box.Calls(since) {
		if c.Actor.AccessKey == "mooring" && strings.HasPrefix(c.Operation, "UpdateAlias") && c.Status < 300 {
			out = append(out, c)
		}
	}
	return out
}

func (s *killStage) awaitRoutings(since time.Time, n int) {
	s.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); len(s.routings(since)) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(s.path("daemon.log"))
			s.t.Fatalf("%d routings, want %d\n%s", len(s.routings(since)), n, log[max(0, len(log)-4000):])
		}
	}
}

// callAll has callers at every alias until stopped, and counts what they lose.
func (s *killStage) callAll() (stop func() [fleetOfTen]int) {
	var lost [fleetOfTen]int
	done := make(chan struct{})
	var callers sync.WaitGroup
	for i := range fleetOfTen {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(100 * time.Millisecond):
					if !s.order(tenth(i)) {
						lost[i]++
					}
				}
			}
		})
	}
	return func() [fleetOfTen]int { close(done); callers.Wait(); return lost }
}

// order calls a function's alias, and says whether it was answered.
func (s *killStage) order(function string) bool {
	req, err := http.NewRequest(http.MethodPost, s.box.URL()+"/2015-03-31/functions/preview-"+function+"/invocations?Qualifier=live", strings.NewReader(`{"order":1}`))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=shopper/20260101/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // what it says beside its status does not matter
	return resp.StatusCode == http.StatusOK && resp.Header.Get("X-Amz-Function-Error") == ""
}
