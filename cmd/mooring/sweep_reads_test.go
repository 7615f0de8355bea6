package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// bad is a cloud that answers badly in one way during the whole scenario.
type bad struct {
	name  string
	rules []sandbox.Rule
}

func (b bad) String() string { return b.name }

// TestSweepReads: questions fail, once and for a while, answers are old, and
// every third call is throttled. The end is the same, and nothing improper
// happens on the way.
func TestSweepReads(t *testing.T) {
	sweepCredentials(t)
	files, policies := newSweepFiles(t), &evaluators{made: map[string]policy.Evaluator{}}
	undisturbed := newRig(t, files, policies)
	_, end := undisturbed.play()
	cases := []bad{
		{"reads are stale for 700ms after every write", []sandbox.Rule{{Actor: sweepActor, Effect: sandbox.Effect{Stale: 700 * time.Millisecond}}}},
		{"reads are stale for 2s after every write", []sandbox.Rule{{Actor: sweepActor, Effect: sandbox.Effect{Stale: 2 * time.Second}}}},
		{"a third of Lambda is throttled, sixty times", []sandbox.Rule{{Service: "lambda", Actor: sweepActor, Probability: 0.3, Times: 60, Effect: sandbox.Effect{Throttle: true}}}},
		{"a fifth of everything loses its answer, sixty times", []sandbox.Rule{{Actor: sweepActor, Probability: 0.2, Times: 60, Effect: sandbox.Effect{FailAfter: true}}}},
	}
	for _, op := range readsOf(undisturbed.cloud) {
		service, operation, _ := strings.Cut(op, ":")
		rule := sandbox.Rule{Service: service, Operation: operation, Actor: sweepActor, Times: 1, Effect: sandbox.Effect{Status: 500, Code: "ServiceException"}}
		// Three tries are one failed question.
		once, often := rule, rule
		once.After, once.Times = 1, 3
		often.After, often.Times = 1, 12
		cases = append(cases, bad{op + " fails once", []sandbox.Rule{once}}, bad{op + " fails for a while", []sandbox.Rule{often}})
	}
	all := len(cases)
	if limit := sweepSample; testing.Short() || limit > 0 {
		rest := cases[4:]
		cases = slices.Clone(cases[:4])
		for i := int(*sweepSeed); i < len(rest); i += 9 {
			cases = append(cases, rest[i])
		}
	}
	start := time.Now()
	each(t, cases, func(t *testing.T, b bad) {
		r := newRig(t, files, policies)
		r.patience = 3 * time.Minute
		for _, rule := range b.rules {
			_, err := r.cloud.Faults.Add(rule)
			check(t, err)
		}
		episodes, got := r.play()
		if r.cloud.Counts().Faulted == 0 {
			t.Error("nothing went wrong, so nothing was tested")
		}
		if d := got.differs(end); d != "" {
			t.Errorf("the end is another one:\n%s\n%s", d, r.story())
		}
		honest(t, r.cloud, episodes)
	})
	t.Logf("%d of %d cases, %v", len(cases), all, time.Since(start).Round(time.Second))
}

// readsOf are the questions Mooring asked, sorted.
func readsOf(c *cloud) []string {
	found := map[string]int{}
	for _, call := range c.Calls(time.Time{}) {
		if call.ReadOnly && call.Actor.Name == sweepActor {
			found[call.Service+":"+call.Operation]++
		}
	}
	var out []string
	for op, n := range found {
		if n > 1 {
			out = append(out, op)
		}
	}
	slices.Sort(out)
	return out
}

// TestSweepPartialListing: while a page of the functions cannot be had, nothing
// is deleted; when it can, everything comes to its end.
func TestSweepPartialListing(t *testing.T) {
	sweepCredentials(t)
	files := newSweepFiles(t)
	r := newRig(t, files, &evaluators{made: map[string]policy.Evaluator{}})
	hand := newHand(r.cloud)
	hand.furnish(t)
	for i := range 60 { // so that there is a second page
		hand.function(t, fmt.Sprintf("unrelated-%02d", i))
	}
	r.push("main", sweepControl(map[string]string{sweepEnvironment: r.cloud.door.URL}, sweepEnvironment))
	first := r.push(sweepBranch, files.release(sweepFirst))
	r.start()
	r.wait("first deployment", r.atRest(first, "in_sync"))
	second := r.push(sweepBranch, files.release(sweepThird))
	held := func() string {
		for _, h := range r.status().Holds {
			if h.Kind == "deletion_guard" {
				return ""
			}
		}
		return fmt.Sprintf("no deletion is held: %+v", r.status())
	}
	r.wait("deletions are held", held)
	id, err := r.cloud.Faults.Add(sandbox.Rule{
		Service: "lambda", Operation: "ListFunctions", Actor: sweepActor, Param: map[string]string{"Marker": "?*"}, Effect: sandbox.Effect{Status: 500, Code: "ServiceException"}})
	check(t, err)
	r.wait("the listing failed", func() string {
		if n := r.cloud.Counts().Faulted; n < 6 { // two surveys, with the SDK's own tries
			return fmt.Sprintf("%d pages failed", n)
		}
		return ""
	})
	approve := func() {
		for _, h := range r.status().Holds {
			_ = r.daemon.Resume(context.Background(), web.ResumeRequest{Environment: sweepEnvironment, Hold: h.ID, By: access.Stated("bob")}) // it may be lifted already
		}
	}
	approve()
	deletions := func() (n int) {
		for _, c := range r.cloud.changes() {
			if strings.HasPrefix(c.Operation, "Delete") {
				n++
			}
		}
		return n
	}
	before := deletions() // the trigger's: it was off while all was known
	for range 40 {
		time.Sleep(100 * time.Millisecond)
		if n := deletions() - before; n > 0 {
			t.Fatalf("%d deletions on listings that were never complete\n%s", n, r.story())
		}
	}
	r.cloud.Faults.Remove(id)
	r.wait("everything comes to its end", func() string {
		approve()
		return r.atRest(second, "in_sync")()
	})
	if deletions() == before {
		t.Error("nothing was deleted in the end either")
	}
}

// TestSweepDeniedElsewhere: what one environment is not allowed to do delays no
// other, writes nothing blindly, and is made up for once it is allowed.
func TestSweepDeniedElsewhere(t *testing.T) {
	sweepCredentials(t)
	files := newSweepFiles(t)
	r := newRig(t, files, &evaluators{made: map[string]policy.Evaluator{}})
	newHand(r.cloud).furnish(t)
	r.push("main", sweepControl(map[string]string{"staging": r.cloud.door.URL, sweepEnvironment: r.cloud.door.URL}, "staging", sweepEnvironment))
	id, err := r.cloud.Faults.Add(sandbox.Rule{
		Service: "sqs", Actor: sweepActor, Param: map[string]string{"QueueName": "staging-*"}, Effect: sandbox.Effect{Status: 403, Code: "AccessDenied"}})
	check(t, err)
	staging := r.push("env/staging", files.release(sweepFirst))
	first := r.push(sweepBranch, files.release(sweepFirst))
	r.start()
	r.wait("production is deployed", r.atRest(first, "in_sync"))
	for _, c := range r.cloud.changes() {
		if happened(c) && c.Service == "lambda" && strings.HasPrefix(text(c.Params["functionName"]), "staging-checkout") {
			t.Errorf("%s of staging's checkout, whose queue could not be made", c.Operation)
		}
	}
	r.cloud.Faults.Remove(id)
	state := func() string {
		for _, e := range r.daemon.Status().Environments {
			if e.Name == "staging" && (e.State != "in_sync" || e.Commit != staging) {
				return fmt.Sprintf("%+v", e)
			}
		}
		return ""
	}
	for range 20 { // what is parked as denied is tried again when its input changes
		if state() == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	files2 := files.release(sweepFirst)
	files2["queues.yaml"] = strings.Replace(files2["queues.yaml"], "visibilityTimeout: 60", "visibilityTimeout: 70", 1)
	files2["queues.yaml"] = strings.ReplaceAll(files2["queues.yaml"], "metadata: {name: orders-dlq}", "metadata: {name: orders-dlq}\nspec: {visibilityTimeout: 40}")
	files2["queues.yaml"] = strings.ReplaceAll(files2["queues.yaml"], "metadata: {name: audit}", "metadata: {name: audit}\nspec: {visibilityTimeout: 40}")
	staging = r.push("env/staging", files2)
	r.wait("staging is deployed with new input", state)
}
