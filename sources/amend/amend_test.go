package amend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mooring.dev/providers"
	"mooring.dev/providers/aws"
	"mooring.dev/sources/manifest"
)

const shop = `# The shop, kept by the payments team.
apiVersion: mooring.dev/v1
kind: Function
metadata: {name: checkout, labels: {team: payments}}
spec:
  artifact: {uri: "s3://shop/checkout.zip", digest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
  runtime: provided.al2023
  handler: bootstrap
  # Doubled in March, see the incident.
  memorySize: 512   # megabytes
  timeout: 10
  environment:
    LOG_LEVEL: ${logLevel}
    REGION_NAME: 'eu'
    ORDERS_URL: {ref: Queue/orders, attribute: url}   # where orders go
    STRIPE_KEY: {secret: shop/stripe}
    PLAIN: "quoted"
  deadLetterConfig: Queue/orders-dlq
  vpcConfig: {subnetIds: [subnet-0a1b2c3d], securityGroupIds: [sg-0a1b2c3d]}
  role:
    statements:
      - {Sid: Read, Effect: Allow, Action: ["secretsmanager:GetSecretValue"], Resource: {secret: shop/stripe}}
  triggers:
    orders: {queue: Queue/orders, batchSize: 10}
    hourly: {schedule: rate(1 hour)}
    web:
      url:
        authType: AWS_IAM
  permissions:
    partner: {principal: "222222222222"}
  reservedConcurrentExecutions: 50
  asyncInvoke: {maximumRetryAttempts: 1, onFailure: Queue/orders-dlq}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders}
spec:
    visibilityTimeout: 60

    redrive: {deadLetter: Queue/orders-dlq, maxReceiveCount: 5}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: orders-dlq}
---
apiVersion: mooring.dev/v1
kind: Queue
metadata: {name: returns}
---
apiVersion: mooring.dev/v1
kind: Secret
metadata: {name: shop/stripe}
---
apiVersion: mooring.dev/v1
kind: Topic
metadata: {name: news}
spec: {displayName: News}
---
apiVersion: mooring.dev/v1
kind: Role
metadata: {name: own}
spec:
  statements: [{Sid: Q, Effect: Allow, Action: ["sqs:SendMessage"], Resource: {ref: Queue/orders}}]
`

const overlayText = `apiVersion: mooring.dev/v1
kind: Environment
metadata: {name: production}
spec:
  # What differs here.
  values: {logLevel: warn}
  patches:
    - target: {kind: Queue, name: orders}
      patch: {spec: {visibilityTimeout: 90}}
`

const overlayFile = "environments/production.yaml"

// pipelineOf has production alone, or after staging.
func pipelineOf(t *testing.T, alone bool) *manifest.Pipeline {
	t.Helper()
	text := "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments:\n"
	if !alone {
		text += "    - {name: staging, provider: {aws: {region: eu-west-1}}}\n"
	}
	text += "    - {name: production, provider: {aws: {region: eu-west-1}}"
	if !alone {
		text += ", after: [staging]"
	}
	p, err := manifest.LoadPipeline(fstest.MapFS{"mooring.yaml": {Data: []byte(text + "}\n")}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// platform is what manifests come to at AWS, and where things are there.
type platform struct {
	p         *aws.Provider
	addresses map[manifest.Ref]map[string]string
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p, err := aws.New(aws.Options{Pipeline: "shop", Environment: "production", Config: awssdk.Config{Region: "eu-west-1"}, Tokens: []byte("tokens")})
	if err != nil {
		t.Fatal(err)
	}
	return &platform{p: p, addresses: map[manifest.Ref]map[string]string{}}
}

func (pl *platform) fields(res manifest.Resource) (map[string]string, error) {
	spec, err := pl.p.Canonical(res, providers.Bindings(pl.addresses))
	return spec.Fields, err
}

func (pl *platform) know(rel *manifest.Release) {
	for _, res := range rel.Resources {
		service := strings.ToLower(res.Ref.Kind)
		if service == "queue" {
			service = "sqs"
		}
		arn := "arn:aws:" + service + ":eu-west-1:111111111111:" + res.Physical
		pl.addresses[res.Ref] = map[string]string{"arn": arn, "name": res.Physical, "url": "https://" + service + ".eu-west-1.amazonaws.com/111111111111/" + res.Physical}
		if res.Ref.Kind == manifest.KindFunction {
			pl.addresses[res.Ref]["alias"] = "live"
		}
	}
}

func treeOf(files map[string]string) fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return tree
}

func rendered(t *testing.T, p *manifest.Pipeline, tree fs.FS) *manifest.Release {
	t.Helper()
	docs, err := (&manifest.Loader{}).Load(tree, manifest.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rel, err := manifest.Render(docs, p, "production", "")
	if err != nil {
		t.Fatal(err)
	}
	return rel
}

// drifted are the differences between what one tree declares and what lives as
// another would have it.
func (pl *platform) drifted(t *testing.T, declared, live *manifest.Release) []Item {
	t.Helper()
	pl.know(live)
	pl.know(declared)
	var items []Item
	for _, res := range declared.Resources {
		was, err := pl.fields(res)
		if err != nil {
			t.Fatal(err)
		}
		now, found := live.Resource(res.Ref)
		if !found {
			items = append(items, Item{Ref: res.Ref, Parent: res.Parent, Kind: Missing})
			continue
		}
		is, err := pl.fields(now)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, fieldsApart(res.Ref, was, is)...)
	}
	for _, res := range live.Resources {
		if _, found := declared.Resource(res.Ref); !found {
			is, err := pl.fields(res)
			if err != nil {
				t.Fatal(err)
			}
			raw := map[string]json.RawMessage{}
			for k, v := range is {
				raw[k] = json.RawMessage(v)
			}
			items = append(items, Item{Ref: res.Ref, Parent: res.Parent, Kind: Extra, Live: mustJSON(raw)})
		}
	}
	for i := range items {
		items[i].ID = fmt.Sprint(i)
	}
	return items
}

func fieldsApart(ref manifest.Ref, was, is map[string]string) []Item {
	var items []Item
	for _, field := range slices.Sorted(maps.Keys(join(was, is))) {
		a, inA := was[field]
		b, inB := is[field]
		item := Item{Ref: ref, Path: field, Live: b, Kind: Changed, Sensitive: strings.HasPrefix(b, `"hmac:`) || strings.HasPrefix(a, `"hmac:`)}
		switch {
		case inA && inB && a == b:
			continue
		case !inA:
			item.Kind = Extra
		case !inB:
			item.Kind = Missing
		}
		items = append(items, item)
	}
	return items
}

// row is a change by hand, written as the change of a manifest that would have
// declared it.
type row struct {
	name     string
	from, to string   // in the manifests, or in the overlay
	alone    bool     // the environment has its manifests to itself
	want     []string // lines of the edited files that stood in none
	gone     []string // lines that stand in none any more
	left     string   // part of why it is not adopted; "": it is
	noLay    bool     // there is no overlay yet
}

var rows = []row{
	{name: "a number", from: "memorySize: 512", to: "memorySize: 1024", want: []string{"    - target: {kind: Function, name: checkout}", "      patch:", "        spec:", "          memorySize: 1024"}},
	{name: "a number, alone", alone: true, from: "memorySize: 512", to: "memorySize: 1024", want: []string{"  memorySize: 1024   # megabytes"}, gone: []string{"  memorySize: 512   # megabytes"}},
	{name: "where a patch is", from: "visibilityTimeout: 90", to: "visibilityTimeout: 30", want: []string{"      patch: {spec: {visibilityTimeout: 30}}"}, gone: []string{"      patch: {spec: {visibilityTimeout: 90}}"}},
	{name: "where a patch is, alone", alone: true, from: "visibilityTimeout: 90", to: "visibilityTimeout: 30", want: []string{"      patch: {spec: {visibilityTimeout: 30}}"}, gone: []string{"      patch: {spec: {visibilityTimeout: 90}}"}},
	{name: "another field of what a patch is about", from: "maxReceiveCount: 5", to: "maxReceiveCount: 9", want: []string{"      patch: {spec: {visibilityTimeout: 90, redrive: {maxReceiveCount: 9}}}"}, gone: []string{"      patch: {spec: {visibilityTimeout: 90}}"}},
	{name: "a value", from: "logLevel: warn", to: "logLevel: debug", want: []string{"  values: {logLevel: debug}"}, gone: []string{"  values: {logLevel: warn}"}},
	{name: "a quoted text, alone", alone: true, from: "'eu'", to: "'us'", want: []string{"    REGION_NAME: 'us'"}, gone: []string{"    REGION_NAME: 'eu'"}},
	{name: "a text that looks like a value", alone: true, from: `"quoted"`, to: `"a$${b}"`, want: []string{`    PLAIN: "a$${b}"`}, gone: []string{`    PLAIN: "quoted"`}},
	{name: "a text that looks like a number", from: `"quoted"`, to: `"12"`, want: []string{`            PLAIN: "12"`}},
	{name: "a variable taken away", from: "    PLAIN: \"quoted\"\n", to: "", want: []string{"            PLAIN: null"}},
	{name: "a variable taken away, alone", alone: true, from: "    PLAIN: \"quoted\"\n", to: "", gone: []string{`    PLAIN: "quoted"`}},
	{name: "a reference to another of ours", from: "{ref: Queue/orders, attribute: url}", to: "{ref: Queue/returns, attribute: url}", want: []string{"            ORDERS_URL: {ref: Queue/returns, attribute: url}"}},
	{name: "a short reference, alone", alone: true, from: "deadLetterConfig: Queue/orders-dlq", to: "deadLetterConfig: Queue/returns", want: []string{"  deadLetterConfig: Queue/returns"}, gone: []string{"  deadLetterConfig: Queue/orders-dlq"}},
	{name: "a reference to something else", from: "{ref: Queue/orders, attribute: url}", to: "https://sqs.eu-west-1.amazonaws.com/222222222222/else", left: "declared as a reference"},
	{name: "a list", from: "securityGroupIds: [sg-0a1b2c3d]", to: "securityGroupIds: [sg-0a1b2c3d, sg-1a1b2c3d]", want: []string{"            securityGroupIds: [sg-0a1b2c3d, sg-1a1b2c3d]"}},
	{name: "a list, alone", alone: true, from: "securityGroupIds: [sg-0a1b2c3d]", to: "securityGroupIds: [sg-0a1b2c3d, sg-1a1b2c3d]", want: []string{"  vpcConfig: {subnetIds: [subnet-0a1b2c3d], securityGroupIds: [sg-0a1b2c3d, sg-1a1b2c3d]}"}, gone: []string{"  vpcConfig: {subnetIds: [subnet-0a1b2c3d], securityGroupIds: [sg-0a1b2c3d]}"}},
	{name: "a trigger switched off", from: "batchSize: 10}", to: "batchSize: 10, enabled: false}", want: []string{"            orders:", "              enabled: false"}},
	{name: "a trigger's concurrency, alone", alone: true, from: "batchSize: 10}", to: "batchSize: 10, maximumConcurrency: 5}", want: []string{"    orders: {queue: Queue/orders, batchSize: 10, maximumConcurrency: 5}"}, gone: []string{"    orders: {queue: Queue/orders, batchSize: 10}"}},
	{name: "the kill switch", from: "reservedConcurrentExecutions: 50", to: "reservedConcurrentExecutions: 0", want: []string{"          reservedConcurrentExecutions: 0"}},
	{name: "a reservation taken away", from: "  reservedConcurrentExecutions: 50\n", to: "", want: []string{"          reservedConcurrentExecutions: null"}},
	{name: "a permission taken away", alone: true, from: "  permissions:\n    partner: {principal: \"222222222222\"}\n", to: "", gone: []string{"  permissions:", `    partner: {principal: "222222222222"}`}},
	{name: "a permission added", from: `{principal: "222222222222"}`, to: "{principal: \"222222222222\"}\n    other: {principal: sns.amazonaws.com, sourceArn: Topic/news}", want: []string{"          permissions:", "            other:", "              sourceArn: {ref: Topic/news}", "              principal: sns.amazonaws.com"}},
	{name: "asynchronous invocation", from: "maximumRetryAttempts: 1", to: "maximumRetryAttempts: 0", want: []string{"          asyncInvoke:", "            maximumRetryAttempts: 0"}},
	{name: "a URL", alone: true, from: "authType: AWS_IAM", to: "authType: AWS_IAM\n        invokeMode: RESPONSE_STREAM\n        cors: {allowOrigins: [https://a.example]}", want: []string{"        invokeMode: RESPONSE_STREAM", "        cors:", "          allowOrigins: [https://a.example]"}},
	{name: "a schedule switched off", from: "hourly: {schedule: rate(1 hour)}", to: "hourly: {schedule: {scheduleExpression: rate(1 hour), state: DISABLED}}", want: []string{"              schedule:", "                scheduleExpression: rate(1 hour)", "                state: DISABLED"}},
	{name: "fields that fit each other only", alone: true, from: "rate(1 hour)", to: "{scheduleExpression: rate(1 hour), flexibleTimeWindow: {mode: FLEXIBLE, maximumWindowInMinutes: 5}}", gone: []string{"    hourly: {schedule: rate(1 hour)}"}, want: []string{"    hourly: {schedule: {scheduleExpression: rate(1 hour), flexibleTimeWindow: {maximumWindowInMinutes: 5, mode: FLEXIBLE}}}"}},
	{name: "fields of one thing", from: "timeout: 10\n", to: "timeout: 10\n  tracingConfig: {mode: PassThrough}\n  ephemeralStorage: {size: 1024}\n", want: []string{"          ephemeralStorage:", "            size: 1024"}},
	{name: "a queue's policy", from: "maxReceiveCount: 5}", to: "maxReceiveCount: 5}\n    policy: {Statement: [{Effect: Allow, Principal: {Service: sns.amazonaws.com}, Action: sqs:SendMessage, Resource: {ref: Queue/returns}}]}", want: []string{`ref: Queue/returns`}, gone: []string{"      patch: {spec: {visibilityTimeout: 90}}"}},
	{name: "a role of its own", from: "name: own}\nspec:\n  statements: [{Sid: Q, Effect: Allow, Action: [\"sqs:SendMessage\"]", to: "name: own}\nspec:\n  statements: [{Sid: Q, Effect: Allow, Action: [\"sqs:*\"]", want: []string{"ref: Queue/orders"}},
	{name: "a function's own role", from: "secretsmanager:GetSecretValue", to: "secretsmanager:*", want: []string{"secretsmanager:*"}},
	{name: "a topic", alone: true, from: "displayName: News", to: "displayName: Olds", want: []string{"spec: {displayName: Olds}"}, gone: []string{"spec: {displayName: News}"}},
	{name: "a text taken away", alone: true, from: "spec: {displayName: News}", to: "spec: {}", want: []string{"spec: {}"}, gone: []string{"spec: {displayName: News}"}},
	{name: "no overlay yet", noLay: true, from: "memorySize: 512", to: "memorySize: 1024", want: []string{"apiVersion: mooring.dev/v1", "kind: Environment", "metadata: {name: production}", "  patches:", "          memorySize: 1024"}},
	{name: "code", from: "9f86d081", to: "9f86d082", left: "code is not adopted"},
	{name: "a secret", alone: true, from: "STRIPE_KEY: {secret: shop/stripe}", to: "STRIPE_KEY: plain", left: "no secret is written"},
	{name: "a resource as a whole", from: "---\napiVersion: mooring.dev/v1\nkind: Topic\nmetadata: {name: news}\nspec: {displayName: News}\n", to: "", left: "for its manifest"},
}

func (r row) trees() (before, live map[string]string) {
	manifests, lay := shop, overlayText
	before = map[string]string{"shop.yaml": manifests, overlayFile: lay}
	if r.noLay {
		before["shop.yaml"] = strings.Replace(manifests, "${logLevel}", "warn", 1)
		delete(before, overlayFile)
	}
	live = maps.Clone(before)
	for name, text := range live {
		live[name] = strings.Replace(text, r.from, r.to, 1)
	}
	return before, live
}

// TestEdit: each kind of difference is declared where it belongs, nothing else
// is touched, and what is not adopted says why.
func TestEdit(t *testing.T) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			p, pl := pipelineOf(t, r.alone), newPlatform(t)
			before, live := r.trees()
			items := pl.drifted(t, rendered(t, p, treeOf(before)), rendered(t, p, treeOf(live)))
			if len(items) == 0 {
				t.Fatal("the row changes nothing")
			}
			out, err := Edit(Input{Tree: treeOf(before), Pipeline: p, Environment: "production", Items: items, Fields: pl.fields, Addresses: pl.addresses})
			if err != nil {
				t.Fatal(err)
			}
			checkLeft(t, r, out)
			checkLines(t, r, before, out)
			pl.checkDeclared(t, p, before, out)
		})
	}
}

func checkLeft(t *testing.T, r row, out Result) {
	t.Helper()
	why := ""
	for _, l := range out.Left {
		why += l.Item.Ref.String() + " " + l.Item.Path + ": " + l.Why + "\n"
	}
	if (why == "") != (r.left == "") || !strings.Contains(why, r.left) {
		t.Errorf("left:\n%swant %q", why, r.left)
	}
}

func checkLines(t *testing.T, r row, before map[string]string, out Result) {
	t.Helper()
	var old, now []string
	for name, text := range before {
		old = append(old, strings.Split(text, "\n")...)
		if edited, ok := out.Files[name]; ok {
			text = string(edited)
		}
		now = append(now, strings.Split(text, "\n")...)
	}
	for name, data := range out.Files {
		if _, known := before[name]; !known {
			now = append(now, strings.Split(string(data), "\n")...)
		}
	}
	for _, line := range old {
		if !slices.Contains(now, line) && !slices.Contains(r.gone, line) {
			t.Errorf("line is gone: %q\n%s", line, strings.Join(now, "\n"))
		}
	}
	for _, line := range r.gone {
		if slices.Contains(now, line) && r.left == "" {
			t.Errorf("line is still there: %q", line)
		}
	}
	for _, want := range r.want {
		if !slices.ContainsFunc(now, func(l string) bool { return l == want || !strings.HasPrefix(want, " ") && strings.Contains(l, want) }) {
			t.Errorf("no line %q in:\n%s", want, strings.Join(now, "\n"))
		}
	}
}

// checkDeclared renders the edited tree: adopted items are declared as they
// live, all else as before.
func (pl *platform) checkDeclared(t *testing.T, p *manifest.Pipeline, before map[string]string, out Result) {
	t.Helper()
	tree := treeOf(before)
	for name, data := range out.Files {
		tree[name] = &fstest.MapFile{Data: data}
	}
	after := rendered(t, p, tree)
	was := rendered(t, p, treeOf(before))
	for _, a := range out.Adopted {
		if err := declaredAs(pl, after, a.Item); err != nil {
			t.Errorf("%s %s: %v", a.Item.Ref, a.Item.Path, err)
		}
		if !strings.Contains(a.Where, ".yaml: ") {
			t.Errorf("written at %q", a.Where)
		}
	}
	if len(out.Adopted) == 0 && (len(out.Files) > 0 || after.Digest != was.Digest) {
		t.Error("nothing is adopted, and something is edited")
	}
}

func declaredAs(pl *platform, rel *manifest.Release, item Item) error {
	res, found := rel.Resource(item.Ref)
	if item.Path == "" && item.Kind == Missing {
		if found {
			return errors.New("still declared")
		}
		return nil
	}
	fields, err := pl.fields(res)
	if err != nil || !found {
		return fmt.Errorf("not declared: %v", err)
	}
	if got, ok := fields[item.Path]; item.Path != "" && (ok != (item.Kind != Missing) || ok && got != item.Live) {
		return fmt.Errorf("declared %s, live %s", got, item.Live)
	}
	return nil
}
