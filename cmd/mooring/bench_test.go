package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/git"
	"mooring.dev/sources/sourcetest"
)

// benchRig is a daemon at rest with the shop's first release, over a real Git
// repository.
func benchRig(b *testing.B) (*rig, *hand) {
	b.Helper()
	sweepCredentials(b)
	r := newRig(b, newSweepFiles(b), &evaluators{made: map[string]policy.Evaluator{}})
	upstream := sourcetest.NewGit(b, true)
	repo, err := git.Open(git.Options{URL: upstream.Dir, Dir: r.dir + "/repository", Poll: time.Hour, Notice: func(error) {}})
	check(b, err)
	r.repo = repo
	r.push = func(branch string, files map[string]string) string {
		return upstream.Commit(sourcetest.Change{Branch: branch, Files: files})
	}
	h := newHand(r.cloud)
	h.furnish(b)
	r.push("main", sweepControl(map[string]string{sweepEnvironment: r.cloud.door.URL}, sweepEnvironment))
	first := r.push(sweepBranch, r.files.release(sweepFirst))
	r.start()
	r.wait("first deployment", r.atRest(first, "in_sync"))
	return r, h
}

// own are Mooring's calls since a moment.
func (c *cloud) own(since time.Time) []wire.Call {
	return slices.DeleteFunc(c.Calls(since), func(call wire.Call) bool { return call.Actor.Name != sweepActor })
}

// BenchmarkFirstDeployment counts the calls of a first deployment of the
// scenario's shop (18 resources) until it is at rest.
func BenchmarkFirstDeployment(b *testing.B) {
	for b.Loop() {
		start := time.Now()
		r, _ := benchRig(b)
		calls := r.cloud.own(time.Time{})
		b.ReportMetric(float64(len(calls)), "calls")
		b.ReportMetric(float64(len(r.cloud.changes())), "changes")
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/whole")
		r.halt()
	}
}

// BenchmarkRefToFirstCall is from a ref change on a local repository to the
// first call that it causes, and to the first that changes something. Surveys
// by the clock are in the count of reads.
func BenchmarkRefToFirstCall(b *testing.B) {
	r, _ := benchRig(b)
	var first, change []float64
	reads := 0
	for i := 0; b.Loop(); i++ {
		release := sweepFirst
		release.level = fmt.Sprintf("level-%d", i)
		files := r.files.release(release)
		settle(r)
		before := len(r.cloud.changes())
		sha := r.push(sweepBranch, files)
		at := r.cloud.Now() // the ref has moved
		r.wait("the change", func() string {
			if len(r.cloud.changes()) == before {
				return "nothing changed"
			}
			return ""
		})
		calls := r.cloud.own(at)
		first = append(first, calls[0].At.Sub(at).Seconds()*1000)
		for n, c := range calls {
			if !c.ReadOnly {
				change, reads = append(change, c.At.Sub(at).Seconds()*1000), reads+n
				break
			}
		}
		r.wait("rest", r.atRest(sha, "in_sync"))
	}
	b.ReportMetric(median(first), "ms/first-call")
	b.ReportMetric(median(change), "ms/first-change")
	b.ReportMetric(float64(reads)/float64(len(change)), "reads-before")
}

// settle waits for the moment right after a survey, so that the next is a
// whole interval away.
func settle(r *rig) {
	seen := r.cloud.Counts().Operations["lambda:ListFunctions"]
	r.wait("a survey", func() string {
		if r.cloud.Counts().Operations["lambda:ListFunctions"] == seen {
			return "none yet"
		}
		return ""
	})
	time.Sleep(100 * time.Millisecond) // its end
}

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[len(of)/2]
}

// BenchmarkQuietSweep counts the calls of an environment at rest, per survey,
// by service.
func BenchmarkQuietSweep(b *testing.B) {
	r, _ := benchRig(b)
	for b.Loop() {
		settle(r)
		from, before := r.cloud.Now(), r.cloud.Counts().Operations["lambda:ListFunctions"]
		r.wait("five surveys", func() string {
			if r.cloud.Counts().Operations["lambda:ListFunctions"] < before+5 {
				return "not yet"
			}
			return ""
		})
		time.Sleep(100 * time.Millisecond)
		services := map[string]int{}
		for _, c := range r.cloud.own(from) {
			services[c.Service]++
		}
		for service, n := range services {
			b.ReportMetric(float64(n)/5, service+"-calls/survey")
		}
	}
}

// BenchmarkRollbackAtRest is from a person's request to traffic being back:
// calls before it, and time.
func BenchmarkRollbackAtRest(b *testing.B) {
	benchRollback(b, func(r *rig, next sweepRelease, first string) time.Time {
		second := r.push(sweepBranch, r.files.release(next))
		r.wait("second release", r.atRest(second, "in_sync"))
		settle(r)
		at := r.cloud.Now()
		check(b, r.daemon.Rollback(context.Background(), web.RollbackRequest{Environment: sweepEnvironment, To: first, By: access.Stated("carol"), Reason: "it looks wrong"}))
		return at
	})
}

// BenchmarkRollbackInRollout is the same in the middle of a rollout that a policy
// holds at half of the traffic: from a person's word to traffic being back.
func BenchmarkRollbackInRollout(b *testing.B) {
	benchRollback(b, func(r *rig, next sweepRelease, _ string) time.Time {
		control := sweepControl(map[string]string{sweepEnvironment: r.cloud.door.URL}, sweepEnvironment)
		control["policies/rollout/go.rego"] = "package policy.rollout.go\n\npause contains {\"code\": \"wait\", \"msg\": \"look\"} if input.rollout.weight == 50\n"
		r.push("main", control)
		r.push(sweepBranch, r.files.release(next))
		r.wait("half of the traffic is moved", func() string {
			if s := r.status(); s.Rollout.Weight != 50 || s.Rollout.Paused == "" {
				return fmt.Sprintf("%+v", s.Rollout)
			}
			return ""
		})
		settle(r)
		at := r.cloud.Now()
		check(b, r.daemon.Rollback(context.Background(), web.RollbackRequest{Environment: sweepEnvironment, By: access.Stated("carol"), Reason: "it looks wrong"}))
		return at
	})
}

// benchRollback counts what happens from the request until every alias is
// back.
func benchRollback(b *testing.B, begin func(r *rig, next sweepRelease, first string) time.Time) {
	var calls, reads, millis []float64
	for b.Loop() {
		r, h := benchRig(b)
		first := r.status().Commit
		declared := h.look(b)
		next := sweepFirst
		next.checkout, next.fulfil = 2, 2
		at := begin(r, next, first)
		r.wait("traffic is back", func() string { return aliasesDiffer(h.look(b), declared) })
		routed, read := 0, 0
		var last time.Duration
		for _, c := range r.cloud.own(at) {
			if c.Operation == "UpdateAlias" {
				routed++
				last = c.At.Sub(at)
			}
			if routed == 0 && c.ReadOnly {
				read++
			}
			if routed == 2 {
				break
			}
		}
		calls, reads, millis = append(calls, float64(routed)), append(reads, float64(read)), append(millis, last.Seconds()*1000)
		r.halt()
	}
	b.ReportMetric(median(calls), "alias-calls")
	b.ReportMetric(median(reads), "reads-before")
	b.ReportMetric(median(millis), "ms/traffic-back")
}

// aliasesDiffer compares only where traffic goes.
func aliasesDiffer(got, want state) string {
	for key, value := range want.things {
		if strings.Contains(key, " alias ") && got.things[key] != value {
			return key + " is " + got.things[key]
		}
	}
	return ""
}
