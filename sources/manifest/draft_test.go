package manifest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDraftIsWrittenAsPeopleWould(t *testing.T) {
	d := Draft{
		Kind: KindFunction, Name: "checkout", Physical: "shop-checkout", Adopt: true,
		Spec: map[string]any{
			"runtime": "python3.12", "handler": "app.handle", "memorySize": 128, "timeout": 30, "alias": "none",
			"artifact": map[string]any{"unmanaged": true, "digest": "sha256:" + strings.Repeat("a", 64)},
			"environment": map[string]any{
				"LEVEL": "info", "PORT": "8080", "ON": "true", "EMPTY": "", "TEMPLATE": "${name}", "TWO": "a\nb",
				"KEY": map[string]any{"secret": "shop/key", "pending": true}, "URL": map[string]any{"ref": "Queue/orders", "attribute": "url"},
			},
			"role": map[string]any{"arn": "arn:aws:iam::111111111111:role/x"},
			"triggers": map[string]any{
				"orders": map[string]any{"queue": "Queue/orders", "enabled": true, "batchSize": 10},
				"web":    map[string]any{"url": map[string]any{"authType": "AWS_IAM", "invokeMode": "BUFFERED"}},
			},
			"architectures":                []any{"arm64"},
			"reservedConcurrentExecutions": 0,
		},
	}
	got, err := d.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: mooring.dev/v1
kind: Function
metadata: {name: checkout, physicalName: shop-checkout, adopt: true}
spec:
  artifact:
    digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    unmanaged: true
  runtime: python3.12
  handler: app.handle
  architectures: [arm64]
  timeout: 30
  environment:
    EMPTY: ""
    KEY: {secret: shop/key, pending: true}
    LEVEL: info
    ON: "true"
    PORT: "8080"
    TEMPLATE: $${name}
    TWO: |-
      a
      b
    URL: {ref: Queue/orders, attribute: url}
  role: {arn: 'arn:aws:iam::111111111111:role/x'}
  alias: none
  triggers:
    orders: {queue: Queue/orders}
    web:
      url:
        authType: AWS_IAM
  reservedConcurrentExecutions: 0
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDraftIsReadAgain(t *testing.T) {
	d := Draft{Kind: KindQueue, Name: "orders", Spec: map[string]any{"visibilityTimeout": -1, "colour": "red"}}
	_, err := d.YAML()
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("want two faults, got %v", err)
	}
}
