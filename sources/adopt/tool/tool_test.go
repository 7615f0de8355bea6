package tool

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"mooring.dev/sources/adopt"
	"mooring.dev/sources/adopt/template"
)

func composed(t *testing.T, found adopt.Found, err error) (files, report string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	r, err := adopt.Compose(found, adopt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		if name != adopt.ReportFile {
			files += "== " + name + "\n" + string(r.Files[name])
		}
	}
	return files, string(r.Files[adopt.ReportFile])
}

func says(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("does not say %q:\n%s", want, text)
		}
	}
}

func TestLambroll(t *testing.T) {
	found, err := Lambroll("function.json", []byte(`{
  "FunctionName": "hello", "Runtime": "nodejs22.x", "Handler": "index.handler",
  "MemorySize": {{ env `+"`MEMORY` `256`"+` }},
  "Timeout": 5,
  "Role": "arn:aws:iam::111111111111:role/hello",
  "Environment": {"Variables": {
    "LEVEL": "{{ env `+"`LEVEL` `info`"+` }}", "TABLE": "{{ tfstate `+"`aws_dynamodb_table.t.name`"+` }}",
    "URL": "https://{{ must_env `+"`HOST`"+` }}/x", "API_KEY": "abcdef0123456789"
  }},
  "Tags": {"team": "shop"}, "Architectures": ["arm64"]
}`), template.Options{})
	files, report := composed(t, found, err)
	says(t, files, "physicalName: hello", "memorySize: 256", "LEVEL: info", "alias: current", "team: shop", "API_KEY: {secret: hello/api-key, pending: true}")
	says(t, report, "TABLE: is {{ tfstate `aws_dynamodb_table.t.name` }}, which only lambroll works out", "URL: is {{ must_env `HOST` }}", "API_KEY")
	if strings.Contains(files+report, "abcdef0123456789") {
		t.Error("a secret is written down")
	}
	for _, text := range []string{"{", `{"FunctionName": "{{ must_env ` + "`X`" + ` }}"}`, "[]", ""} {
		if _, err := Lambroll("function.json", []byte(text), template.Options{}); err == nil {
			t.Errorf("%q was taken for a function", text)
		}
	}
}

func TestPipeCD(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	found, err := PipeCD(fstest.MapFS{
		"shop/checkout/function.yaml": file(`apiVersion: pipecd.dev/v1beta1
kind: LambdaFunction
spec:
  name: Checkout
  role: arn:aws:iam::111111111111:role/checkout
  image: 111111111111.dkr.ecr.eu-west-1.amazonaws.com/checkout:v1
  memory: 512
  timeout: 30
  architectures: [{name: arm64}]
  environments: {FOO: bar}
  vpcConfig: {subnetIds: [subnet-01234567], securityGroupIds: [sg-01234567]}
  tags: {team: shop}
  unheardOf: 1
`),
		"shop/checkout/app.pipecd.yaml": file(`apiVersion: pipecd.dev/v1beta1
kind: LambdaApp
spec:
  name: shop
  pipeline:
    stages:
      - {name: LAMBDA_CANARY_ROLLOUT}
      - {name: LAMBDA_PROMOTE, with: {percent: 10}}
      - {name: WAIT, with: {duration: 10m}}
      - {name: WAIT_APPROVAL}
      - {name: LAMBDA_PROMOTE, with: {percent: 100}}
`),
		"mailer/function.yaml": file("apiVersion: pipecd.dev/v1beta1\nkind: LambdaFunction\nspec: {name: Mailer, role: 'arn:aws:iam::111111111111:role/m', s3Bucket: b, s3Key: k, handler: a.b, runtime: python3.12}\n"),
		"other.yaml":           file("kind: Deployment\n"),
	}, template.Options{})
	files, report := composed(t, found, err)
	says(t, files, "== shop/Checkout.yaml", "alias: Service", "image: 111111111111.dkr.ecr.eu-west-1.amazonaws.com/checkout", "memorySize: 512", "FOO: bar", "strategy: canary", "weight: 10", "hold: 10m", "== services/Mailer.yaml")
	says(t, report, "unheardOf: not carried over", "stage WAIT_APPROVAL", "s3://b/k", "no app.pipecd.yaml beside it")
	if _, err := PipeCD(fstest.MapFS{"a.yaml": file("pipecd.dev/: [")}, template.Options{}); err == nil {
		t.Error("a broken file was passed over")
	}
	if _, err := PipeCD(fstest.MapFS{}, template.Options{}); err == nil {
		t.Error("an empty folder was taken for PipeCD's")
	}
}

func FuzzLambroll(f *testing.F) {
	f.Add([]byte(`{"FunctionName": "f", "MemorySize": {{ env "A" "1" }}, "Description": "{{ x }}\"{{ y }}"}`))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Lambroll("function.json", data, template.Options{}) })
}
