package aws

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/manifest"
)

const (
	testAccount = "111111111111"
	testRegion  = "eu-west-1"
	testRelease = "sha256:0001"
)

// zips is a store of artifacts made for a test.
type zips struct {
	dir string
	mu  sync.Mutex
	all map[string]artifact.Blob // by digest
}

func newZips(t *testing.T) *zips {
	t.Helper()
	return &zips{dir: t.TempDir(), all: map[string]artifact.Blob{}}
}

// add makes an artifact that holds one file and names it.
func (z *zips) add(t *testing.T, content string) manifest.Artifact {
	t.Helper()
	return z.file(t, "bootstrap", content)
}

func (z *zips) file(t *testing.T, name, content string) manifest.Artifact {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	header := &zip.FileHeader{Name: name, Method: zip.Deflate}
	header.SetMode(0o755)
	f, err := w.CreateHeader(header)
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(buf.Bytes())
	digest := "sha256:" + hex.EncodeToString(sum[:])
	path := filepath.Join(z.dir, hex.EncodeToString(sum[:6])+".zip")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.all[digest] = artifact.Blob{Path: path, Digest: digest, Size: int64(buf.Len())}
	return manifest.Artifact{URI: "file:" + filepath.Base(path), Digest: digest}
}

func (z *zips) Fetch(_ context.Context, a manifest.Artifact) (artifact.Blob, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	blob, ok := z.all[a.Digest]
	if !ok {
		return artifact.Blob{}, fmt.Errorf("no artifact %s", a.Digest)
	}
	return blob, nil
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a provider in front of some platform.
type world struct {
	*Provider
	t     *testing.T
	ctx   context.Context
	clock *clock
	zips  *zips
	also  func(time.Duration) // moves the platform's time too
	fixed map[string]string   // "Kind path" of what this platform is known to show otherwise
	tells *testimony          // what this platform is a witness for; nil: nobody asks
}

// options are those of a provider in front of endpoint.
func testOptions(t *testing.T, endpoint string) Options {
	t.Helper()
	return Options{
		Config: awssdk.Config{
			Region: testRegion, BaseEndpoint: &endpoint,
			Credentials: credentials.NewStaticCredentialsProvider("AKIAMOORING", "secret", ""),
			Retryer: func() awssdk.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 10 * time.Millisecond })
			},
		},
		Target:   manifest.AWSTarget{Region: testRegion, Account: testAccount, Endpoint: endpoint},
		Pipeline: "shop", Environment: "preview", Tokens: []byte("a key for tokens"),
		Quota: quota.New(quota.Options{Share: 1, Background: 1, Scale: 1000}),
	}
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), clock: newClock(), zips: newZips(t)}
	o.Now, o.Artifacts = w.clock.Now, w.zips
	var err error
	if w.Provider, err = New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

// shop is a small system with every kind of resource.
func (w *world) shop(prefix string) []manifest.Resource {
	name := prefix + "-checkout"
	fn := manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	alias := manifest.Ref{Kind: manifest.KindAlias, Name: "checkout.live"}
	queue := manifest.Ref{Kind: manifest.KindQueue, Name: "orders"}
	dlq := manifest.Ref{Kind: manifest.KindQueue, Name: "orders-dlq"}
	role := manifest.Ref{Kind: manifest.KindRole, Name: "checkout"}
	retries := 1
	child := func(kind, own, key string, spec any) manifest.Resource {
		ref := manifest.Ref{Kind: kind, Name: "checkout"}
		if own != "" {
			ref.Name += "." + own
		}
		return manifest.Resource{Ref: ref, Parent: fn, Physical: name, Key: key, Spec: spec}
	}
	return []manifest.Resource{
		{Ref: dlq, Physical: prefix + "-orders-dlq", Spec: &manifest.QueueSpec{VisibilityTimeout: 30}},
		{Ref: queue, Physical: prefix + "-orders", Spec: &manifest.QueueSpec{
			VisibilityTimeout: 60, Redrive: &manifest.Redrive{DeadLetter: manifest.Value{Ref: dlq}, MaxReceiveCount: 5},
			Tags: map[string]string{"team": "payments"},
		}},
		{Ref: role, Parent: fn, Physical: name, Spec: &manifest.RoleSpec{
			Path: "/", MaxSessionDuration: 3600,
			Statements: []map[string]any{{
				"Sid": "Queue", "Effect": "Allow", "Action": []any{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
				"Resource": []any{map[string]any{"ref": "Queue/orders"}},
			}},
		}},
		{Ref: fn, Physical: name, Spec: &manifest.FunctionConfig{
			Artifact: w.zips.add(w.t, "one"), PackageType: "Zip", Runtime: "provided.al2023", Handler: "bootstrap",
			Architectures: []string{"x86_64"}, MemorySize: 256, Timeout: 10, Role: manifest.Value{Ref: role},
			Environment: map[string]manifest.Value{
				"LOG_LEVEL": {Literal: "info"}, "ORDERS_URL": {Ref: queue, Attribute: "url"}, "STRIPE_KEY": {Literal: "sk_test_1"},
			},
			Tags: map[string]string{"team": "payments"},
		}},
		child(manifest.KindAlias, "live", "live", &manifest.AliasSpec{Description: "traffic"}),
		child(manifest.KindTrigger, "orders", "orders", &manifest.TriggerSpec{
			Alias: alias, Queue: manifest.Value{Ref: queue}, Enabled: true, BatchSize: 5,
			FunctionResponseTypes: []string{"ReportBatchItemFailures"}, FilterPatterns: []string{`{"body": {"kind": ["order"]}}`}, MaximumConcurrency: 4,
		}),
		child(manifest.KindPermission, "events", "events", &manifest.PermissionSpec{
			Alias: alias, Action: "lambda:InvokeFunction", Principal: "events.amazonaws.com",
			SourceArn: manifest.Value{Literal: "arn:aws:events:" + testRegion + ":" + testAccount + ":rule/hourly"},
		}),
		child(manifest.KindURL, "", "", &manifest.URLSpec{Alias: alias, AuthType: "AWS_IAM", InvokeMode: "BUFFERED", Cors: &manifest.Cors{AllowOrigins: []string{"https://shop.example"}, MaxAge: 60}}),
		child(manifest.KindAsync, "", "", &manifest.AsyncSpec{Alias: alias, MaximumRetryAttempts: &retries}),
		child(manifest.KindConcurrency, "", "", &manifest.ConcurrencySpec{ReservedConcurrentExecutions: 7}),
	}
}

// look observes everything and gathers the bindings.
func (w *world) look(all []manifest.Resource) (map[manifest.Ref]providers.Live, providers.Bindings) {
	w.t.Helper()
	live, err := w.Observe(w.ctx, all...)
	if err != nil {
		w.t.Fatal(err)
	}
	b := providers.Bindings{}
	for ref, l := range live {
		if l.Exists {
			b[ref] = l.Attributes
		}
	}
	return live, b
}

func (w *world) advance(d time.Duration) {
	w.clock.Advance(d)
	if w.also != nil {
		w.also(d)
	}
}

// step takes at most one step for a resource, as a reconciler would; false
// when there is nothing to do.
func (w *world) step(res manifest.Resource, l providers.Live, b providers.Bindings) (bool, error) {
	want, err := w.Canonical(res, b)
	if err != nil || len(want.Unbound) > 0 {
		return true, err
	}
	change := providers.Change{Resource: res, Bindings: b, Guard: l.Guard, Release: testRelease}
	switch {
	case l.Settling:
		return true, nil
	case manifest.AliasKind(res.Ref.Kind):
		return w.stepAlias(change, l)
	case !l.Exists || len(w.differs(res, want, l)) > 0:
		_, err = w.Put(w.ctx, change)
		return true, err
	case manifest.Versioned(res.Ref.Kind):
		for _, v := range l.Published {
			if v.Snapshot == want.Snapshot {
				return !v.Ready, nil
			}
		}
		_, _, err = w.Publish(w.ctx, change)
		return true, err
	}
	return false, nil
}

// stepAlias points the alias at the newest version.
func (w *world) stepAlias(c providers.Change, l providers.Live) (bool, error) {
	fn := c.Resource
	fn.Ref, fn.Parent, fn.Spec = c.Resource.Parent, manifest.Ref{}, &manifest.FunctionConfig{}
	if fn.Ref.Kind == manifest.KindWorkflow {
		fn.Spec = &manifest.WorkflowSpec{}
	}
	seen, err := w.Observe(w.ctx, fn)
	if err != nil {
		return true, err
	}
	newest := ""
	for number := range seen[fn.Ref].Published {
		if newest == "" || versionLess(newest, number) {
			newest = number
		}
	}
	if newest == "" || l.Routing.Version == newest {
		return newest == "", nil
	}
	_, err = w.Route(w.ctx, c, providers.Routing{Version: newest})
	return true, err
}

// differs lists the paths in which live is not what is wanted, leaving out
// what this platform is known to show otherwise.
func (w *world) differs(res manifest.Resource, want providers.Spec, l providers.Live) []string {
	var paths []string
	for _, path := range sortedKeys(want.Fields) {
		if _, unseen := l.Unseen[path]; unseen || w.fixed[res.Ref.Kind+" "+path] != "" {
			continue
		}
		if l.Spec.Fields[path] != want.Fields[path] {
			paths = append(paths, fmt.Sprintf("%s %s: live %s, declared %s", res.Ref, path, l.Spec.Fields[path], want.Fields[path]))
		}
	}
	return paths
}

// converge steps until nothing is left to do.
func (w *world) converge(all []manifest.Resource) {
	w.t.Helper()
	var last error
	for range 40 {
		live, b := w.look(all)
		busy := false
		for _, res := range all {
			more, err := w.step(res, live[res.Ref], b)
			if err != nil {
				if providers.KindOf(err).Permanent() {
					w.t.Fatal(err)
				}
				last = err
			}
			busy = busy || more
		}
		if !busy {
			return
		}
		w.advance(2 * time.Second)
	}
	live, b := w.look(all)
	for _, res := range all {
		want, _ := w.Canonical(res, b)
		for _, path := range w.differs(res, want, live[res.Ref]) {
			w.t.Log(path)
		}
	}
	w.t.Fatalf("nothing settles; last refusal: %v", last)
}

// inPlace fails unless everything is as declared, by observation and survey.
func (w *world) inPlace(all []manifest.Resource) {
	w.t.Helper()
	live, b := w.look(all)
	inventory, err := w.Survey(w.ctx, all)
	if err != nil {
		w.t.Fatal(err)
	}
	for ref, err := range inventory.Errors {
		w.t.Errorf("survey of %s: %v", ref, err)
	}
	if !inventory.Complete {
		w.t.Error("the survey calls itself incomplete")
	}
	for _, res := range all {
		want, err := w.Canonical(res, b)
		if err != nil {
			w.t.Fatal(err)
		}
		for how, l := range map[string]providers.Live{"observed": live[res.Ref], "surveyed": inventory.Live[res.Ref]} {
			if !l.Exists {
				w.t.Errorf("%s is not there, %s", res.Ref, how)
				continue
			}
			for _, path := range w.differs(res, want, l) {
				w.t.Errorf("%s: %s", how, path)
			}
			w.tells.note(res, want, l)
			if l.SeenAt.IsZero() {
				w.t.Errorf("%s %s without a time", res.Ref, how)
			}
		}
		if live[res.Ref].Guard != inventory.Live[res.Ref].Guard {
			w.t.Errorf("%s: the two looks give different guards: %q and %q", res.Ref, live[res.Ref].Guard, inventory.Live[res.Ref].Guard)
		}
	}
}
