package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring.dev/reconciler"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// sweepFiles are the builds that every case deploys.
type sweepFiles struct {
	dir     string
	digests map[string]string
}

// newSweepFiles makes three builds of each function: real zips for a custom
// runtime, which nobody invokes.
func newSweepFiles(t testing.TB) *sweepFiles {
	t.Helper()
	f := &sweepFiles{dir: t.TempDir(), digests: map[string]string{}}
	for _, name := range []string{"checkout", "fulfil"} {
		for v := 1; v <= 4; v++ {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
			h.SetMode(0o755)
			w, err := z.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(w, "#!/bin/sh\n# %s %d\nsleep 1\n", name, v)
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			build := fmt.Sprintf("%s-%d", name, v)
			if err := os.WriteFile(filepath.Join(f.dir, build+".zip"), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b.Bytes())
			f.digests[build] = "sha256:" + hex.EncodeToString(sum[:])
		}
	}
	return f
}

// sweepControl is the control branch: everything by hand is put back, and
// stages are left by policy, since nobody calls the functions.
func sweepControl(endpoints map[string]string, order ...string) map[string]string {
	var b strings.Builder
	b.WriteString("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments:\n")
	for _, name := range order {
		fmt.Fprintf(&b, `    - name: %s
      provider: {aws: {region: eu-west-1, account: "111111111111", endpoint: "%s"}}
      rollout: {strategy: canary, stages: [{weight: 50, hold: 20ms}, {weight: 100}]}
      drift: {response: revert, interval: 1s}
`, name, endpoints[name])
	}
	return map[string]string{
		"mooring.yaml": b.String(),
		"policies/drift/all.rego": `package policy.drift.all

action contains {"item": i.id, "do": "revert", "reason": "it comes from Git"} if some i in input.items
`,
		"policies/rollout/go.rego": `package policy.rollout.go

advance if input.rollout.weight > 0
`,
	}
}

// sweepRelease is what the shop declares at each of its releases.
type sweepRelease struct {
	checkout, fulfil int // builds
	memory           int
	level            string
	statement        bool // fulfil's role may do more
	audit            bool // a queue and the trigger on it
}

var (
	sweepFirst  = sweepRelease{checkout: 1, fulfil: 1, memory: 128, level: "info", audit: true}
	sweepSecond = sweepRelease{checkout: 2, fulfil: 2, memory: 256, level: "warn", statement: true, audit: true}
	sweepThird  = sweepRelease{checkout: 3, fulfil: 2, memory: 256, level: "warn", statement: true}
)

func (f *sweepFiles) release(r sweepRelease) map[string]string {
	artifact := func(name string, v int) string {
		build := fmt.Sprintf("%s-%d", name, v)
		return fmt.Sprintf("{uri: 'file:%s.zip', digest: '%s'}", build, f.digests[build])
	}
	statement, trigger, audit := "[]", "", ""
	if r.statement {
		statement = "[{Sid: Metrics, Effect: Allow, Action: ['cloudwatch:PutMetricData'], Resource: '*'}]"
	}
	if r.audit {
		trigger = "\n    audit: {queue: Queue/audit, batchSize: 5}"
		audit = "---\napiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: audit}\n"
	}
	return map[string]string{
		"checkout.yaml": fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: checkout}
spec:
  artifact: %s
  runtime: provided.al2023
  handler: bootstrap
  memorySize: %d
  environment:
    LOG_LEVEL: %s
    ORDERS_URL: {ref: Queue/orders, attribute: url}
    STRIPE_KEY: {secret: shop/stripe}
  role:
    statements:
      - {Sid: Orders, Effect: Allow, Action: ['sqs:SendMessage'], Resource: [{ref: Queue/orders}]}
  triggers:
    web: {url: {authType: AWS_IAM}}
  permissions:
    shop-api: {principal: apigateway.amazonaws.com, sourceAccount: "111111111111"}
  reservedConcurrentExecutions: 40
`, artifact("checkout", r.checkout), r.memory, r.level),
		"fulfil.yaml": fmt.Sprintf(`apiVersion: mooring.dev/v1
kind: Function
metadata: {name: fulfil}
spec:
  artifact: %s
  runtime: provided.al2023
  handler: bootstrap
  environment: {LOG_LEVEL: %s}
  role: {statements: %s}
  triggers:
    orders: {queue: Queue/orders, batchSize: 10}%s
  asyncInvoke: {maximumRetryAttempts: 1, onFailure: Queue/orders-dlq}
`, artifact("fulfil", r.fulfil), r.level, statement, trigger),
		"queues.yaml": `apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders}
spec: {visibilityTimeout: 60, redrive: {deadLetter: Queue/orders-dlq, maxReceiveCount: 5}}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders-dlq}
---
apiVersion: mooring.dev/v1
kind: Secret
metadata: {name: shop/stripe}
` + audit,
	}
}

// episode is where each part of the scenario ended, by time.
type episode struct {
	name string
	at   time.Time
}

// play is the scenario: a first deployment, a release, what alice does by
// hand, a release that removes a trigger and a queue, and a rollback. Each
// part ends at rest.
func (r *rig) play() (episodes []episode, end state) {
	r.t.Helper()
	over := func(name string) { episodes = append(episodes, episode{name, r.cloud.Now()}) }
	hand := newHand(r.cloud)
	hand.furnish(r.t)
	r.push("main", sweepControl(map[string]string{sweepEnvironment: r.cloud.door.URL}, sweepEnvironment))
	first := r.push(sweepBranch, r.files.release(sweepFirst))
	r.start()
	r.wait("first deployment", r.atRest(first, "in_sync"))
	over("first deployment")

	second := r.push(sweepBranch, r.files.release(sweepSecond))
	r.wait("second release", r.atRest(second, "in_sync"))
	declared := hand.look(r.t)
	over("second release")

	hand.meddle(r.t)
	r.wait("drift is put back", func() string {
		if missing := r.atRest(second, "in_sync")(); missing != "" {
			return missing
		}
		return hand.look(r.t).differs(declared)
	})
	over("drift")

	third := r.push(sweepBranch, r.files.release(sweepThird))
	r.wait("deletions are held", func() string {
		for _, h := range r.status().Holds {
			if h.Kind == "deletion_guard" {
				return ""
			}
		}
		return fmt.Sprintf("no deletion is held: %+v", r.status())
	})
	r.ask("deletions are approved", func(ctx context.Context, d *reconciler.Daemon) error {
		if err := d.Resume(ctx, web.ResumeRequest{Environment: sweepEnvironment, By: access.Stated("bob")}); !errors.Is(err, reconciler.ErrUnknown) {
			return err
		}
		return nil // an answer may be lost: asked again, nothing is held any more
	})
	r.wait("third release", r.atRest(third, "in_sync"))
	over("third release")

	r.cloud.Advance(2 * time.Minute) // a queue's name is free again after one
	r.ask("rollback", func(ctx context.Context, d *reconciler.Daemon) error {
		return d.Rollback(ctx, web.RollbackRequest{Environment: sweepEnvironment, To: second, By: access.Stated("carol"), Reason: "orders get lost"})
	})
	r.wait("rollback", func() string {
		if missing := r.atRest(second, "held")(); missing != "" {
			return missing
		}
		return hand.look(r.t).differs(declared)
	})
	over("rollback")
	r.rested(hand, declared)
	return episodes, hand.look(r.t)
}

// rested: a daemon that never saw any of it finds nothing to do either.
func (r *rig) rested(hand *hand, declared state) {
	r.t.Helper()
	r.halt()
	r.cloud.Faults.Clear()
	before := len(r.cloud.changes())
	r.start()
	r.wait("a fresh daemon is at rest", func() string {
		if s := r.status(); s.State != "held" || len(s.Drift) > 0 || s.Resources["in_place"] == 0 {
			return fmt.Sprintf("%+v", s)
		}
		return ""
	})
	if n := len(r.cloud.changes()) - before; n > 0 {
		r.t.Errorf("a fresh daemon changed %d things when everything was in place\n%s", n, r.story())
	}
	if d := hand.look(r.t).differs(declared); d != "" {
		r.t.Errorf("after the last restart: %s", d)
	}
	for kind, n := range r.status().Resources {
		if kind != "in_place" && n > 0 {
			r.t.Errorf("%d resources are %s at the end\n%s", n, kind, r.story())
		}
	}
	r.halt()
}
