package reconciler

import (
	"fmt"
	"strings"
)

// content is what the developers of the simulation write.
type content struct {
	checkout, mailer string // digests of code
	memory           int
	level            string
	trigger          bool // checkout is fed by Queue/orders
	partner          bool // a permission
	limit            int  // reserved concurrency; 0: none
	withMailer       bool
	audit            bool // a third queue
	invalid          bool
	empty            bool
	around           surroundings
}

func code(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func firstContent() content {
	return content{checkout: code(1), mailer: code(2), memory: 256, level: "info", trigger: true, partner: true, limit: 50, withMailer: true, audit: true}
}

// files renders content as an environment branch.
func (c content) files() map[string]string {
	f := map[string]string{"README.md": "The shop.\n"}
	if c.empty {
		return f
	}
	f["checkout.yaml"] = c.checkoutYAML()
	f["queues.yaml"] = queueYAML("orders", "{visibilityTimeout: 60, redrive: {deadLetter: Queue/orders-dlq, maxReceiveCount: 5}}") +
		"---\n" + queueYAML("orders-dlq", "{}")
	f["secret.yaml"] = "apiVersion: mooring.dev/v1\nkind: Secret\nmetadata: {name: shop/stripe}\n"
	if c.withMailer {
		f["mailer.yaml"] = functionYAML("mailer", c.mailer) + "  role: {arn: \"arn:aws:iam::111111111111:role/mailer\"}\n"
	}
	c.around.write(f)
	if c.audit {
		f["audit.yaml"] = queueYAML("audit", "{}")
	}
	if c.invalid {
		f["broken.yaml"] = "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: broken}\nspec: {visibilityTimeot: 3}\n"
	}
	return f
}

func queueYAML(name, spec string) string {
	return "apiVersion: mooring.dev/v1\nkind: Queue\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

func functionYAML(name, digest string) string {
	return "apiVersion: mooring.dev/v1\nkind: Function\nmetadata: {name: " + name + "}\nspec:\n" +
		"  artifact: {uri: \"file:" + name + ".zip\", digest: \"" + digest + "\"}\n" +
		"  runtime: provided.al2023\n  handler: bootstrap\n"
}

func (c content) checkoutYAML() string {
	var b strings.Builder
	b.WriteString(functionYAML("checkout", c.checkout))
	fmt.Fprintf(&b, "  memorySize: %d\n  timeout: 10\n", c.memory)
	fmt.Fprintf(&b, "  environment:\n    LOG_LEVEL: %s\n    ORDERS_URL: {ref: Queue/orders, attribute: url}\n    STRIPE_KEY: {secret: shop/stripe}\n", c.level)
	b.WriteString("  role:\n    statements:\n      - {Sid: orders, Effect: Allow, Action: [\"sqs:SendMessage\"], Resource: {ref: Queue/orders}}\n")
	if c.trigger || c.around.feeds() {
		b.WriteString("  triggers:\n")
	}
	if c.trigger {
		b.WriteString("    orders: {queue: Queue/orders, batchSize: 10}\n")
	}
	b.WriteString(c.around.triggers())
	if c.partner {
		b.WriteString("  permissions:\n    partner: {principal: \"222222222222\", action: \"lambda:InvokeFunction\"}\n")
	}
	if c.limit > 0 {
		fmt.Fprintf(&b, "  reservedConcurrentExecutions: %d\n", c.limit)
	}
	b.WriteString("  expects: {environment: [STRIPE_KEY], secrets: [shop/stripe]}\n")
	return b.String()
}

// controlFiles is the control branch: three environments in a row, or one.
func controlFiles(mode string, environments ...string) map[string]string {
	var b strings.Builder
	b.WriteString("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments:\n")
	for i, name := range environments {
		fmt.Fprintf(&b, "    - name: %s\n      provider: {memory: {}}\n      drift: {response: revert, interval: 30s}\n", name)
		if i > 0 {
			fmt.Fprintf(&b, "      after: [%s]\n      promotion: auto\n", environments[i-1])
		}
		if name == "preview" {
			b.WriteString("      soak: 20s\n      rollout: {strategy: allAtOnce}\n")
			continue
		}
		b.WriteString("      checks:\n        - {name: smoke, invoke: {function: checkout, payload: {ping: true}, expect: {\"$.ok\": true}}}\n")
		b.WriteString("      rollout: {strategy: canary, stages: [{weight: 10, hold: 20s}, {weight: 50, hold: 20s}, {weight: 100, hold: 8s}], analysis: {tolerance: 0.05, minSamples: 50, maxHold: 3m, onUndecided: rollback}}\n")
	}
	b.WriteString("  receivers:\n    default: {webhook: {url: \"https://alerts.example.com/default\"}}\n    oncall: {webhook: {url: \"https://alerts.example.com/oncall\"}}\n")
	return map[string]string{"mooring.yaml": b.String(), "policies/mode": mode + "\n"}
}
