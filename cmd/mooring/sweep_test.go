package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
)

// sweepCredentials are Mooring's for every case of a test.
func sweepCredentials(t testing.TB) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": sweepKey, "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_ENDPOINT_URL": "",
	} {
		t.Setenv(name, value)
	}
}

// affliction is how one changing call goes wrong, and what becomes of the
// daemon.
type affliction struct {
	name   string
	times  int // as often as the SDK itself tries, or once
	effect func(n int) sandbox.Effect
	kill   bool // SIGKILL before the answer arrives
}

var afflictions = []affliction{
	{"refused", 3, func(n int) sandbox.Effect {
		if n%2 == 0 {
			return sandbox.Effect{Throttle: true}
		}
		return sandbox.Effect{Status: 500, Code: "ServiceException"}
	}, false},
	{"done and killed", 1, func(int) sandbox.Effect { return sandbox.Effect{FailAfter: true} }, true},
	{"done and cut off", 1, func(int) sandbox.Effect { return sandbox.Effect{Drop: true} }, false},
	{"refused and killed", 1, func(int) sandbox.Effect { return sandbox.Effect{Status: 500, Code: "ServiceException"} }, true},
}

// change is the n-th changing call of the undisturbed run: the k-th of its
// operation.
type change struct {
	n, k               int
	service, operation string
}

func (c change) String() string {
	return fmt.Sprintf("%02d %s:%s %d", c.n, c.service, c.operation, c.k)
}

func changesOf(calls []wire.Call) []change {
	seen, out := map[string]int{}, make([]change, 0, len(calls))
	for i, c := range calls {
		seen[c.Service+c.Operation]++
		out = append(out, change{n: i + 1, k: seen[c.Service+c.Operation], service: c.Service, operation: c.Operation})
	}
	return out
}

// sweepCase is one changing call that goes wrong in one way.
type sweepCase struct {
	change
	affliction
}

func (c sweepCase) String() string { return c.change.String() + " " + c.affliction.name }

// TestSweepSingly plays the scenario once for every changing call and every
// way in which it can go wrong, with restarts, and wants the same end as if
// nothing had happened, and nothing improper on the way. With -short or the
// race detector it takes a sample, and says how large.
func TestSweepSingly(t *testing.T) {
	sweepCredentials(t)
	files, policies := newSweepFiles(t), &evaluators{made: map[string]policy.Evaluator{}}
	undisturbed := newRig(t, files, policies)
	episodes, end := undisturbed.play()
	honest(t, undisturbed.cloud, episodes)
	changes := changesOf(undisturbed.cloud.changes())
	end.changes = len(changes)
	var cases []sweepCase
	for _, c := range changes {
		for _, a := range afflictions {
			cases = append(cases, sweepCase{c, a})
		}
	}
	all := len(cases)
	rng := rand.New(rand.NewPCG(*sweepSeed, 1))
	rng.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	if limit := sweepSample; testing.Short() || limit > 0 {
		cases = cases[:min(all, cmp.Or(limit, 12))]
	}
	start := time.Now()
	each(t, cases, func(t *testing.T, c sweepCase) { c.run(t, files, policies, end) })
	t.Logf("%d of %d cases (%d changing calls, %d ways), seed %d, %v", len(cases), all, len(changes), len(afflictions), *sweepSeed, time.Since(start).Round(time.Second))
}

// each runs cases side by side: they mostly wait.
func each[C fmt.Stringer](t *testing.T, cases []C, run func(*testing.T, C)) {
	var wg sync.WaitGroup
	room := make(chan struct{}, 8*runtime.GOMAXPROCS(0))
	for _, c := range cases {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			t.Run(c.String(), func(t *testing.T) { run(t, c) })
		})
	}
	wg.Wait()
}

func (c sweepCase) run(t *testing.T, files *sweepFiles, policies *evaluators, want state) {
	r := newRig(t, files, policies)
	if c.kill {
		die := r.die
		r.cloud.onFault.Store(&die)
	}
	_, err := r.cloud.Faults.Add(sandbox.Rule{
		Service: c.service, Operation: c.operation, Actor: sweepActor, After: c.k - 1, Times: c.times, Effect: c.effect(c.n),
	})
	check(t, err)
	episodes, end := r.play()
	if r.cloud.Counts().Faulted == 0 {
		t.Errorf("the call was never made, so nothing was tested\n%s", r.story())
	}
	if d := end.differs(want); d != "" {
		t.Errorf("the end is another one:\n%s\n%s", d, r.story())
	}
	for name := range want.versions {
		got, wanted := slices.Sorted(slices.Values(end.versions[name])), slices.Sorted(slices.Values(want.versions[name]))
		if !slices.Equal(got, wanted) {
			t.Errorf("%s has %d versions, not %d:\n%s\n%s", name, len(got), len(wanted), strings.Join(got, "\n"), strings.Join(wanted, "\n"))
		}
	}
	// Every refused try counts, and what was lost with its answer may be asked
	// for again; more would be a loop.
	if n, most := len(r.cloud.changes()), want.changes+c.times+4; n > most {
		t.Errorf("%d changing calls, at most %d are explained\n%s", n, most, r.story())
	}
	honest(t, r.cloud, episodes)
}
