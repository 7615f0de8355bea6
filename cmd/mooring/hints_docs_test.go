package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mooring.dev/reconciler/diagnose"
)

// TestHintManifestsOfTheDocs applies the hint queue as docs/operations.md
// declares it, with Mooring itself. Then the doctor finds the way whole, and a
// change by hand is heard of and put back long before anybody would look.
func TestHintManifestsOfTheDocs(t *testing.T) {
	w := newWard(t)
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), "docs", "operations.md"))
	check(t, err)
	block := regexp.MustCompile("(?s)declare:\n\n```yaml\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/operations.md declares no hint queue")
	}
	w.dropHints()
	_, orders, _ := strings.Cut(wardManifests, "---\n")
	w.write("shop.yaml", orders+"---\n"+strings.ReplaceAll(string(block[1]), "222222222222", "111111111111"))
	w.edit("hints:", "drift: {response: revert, interval: 30m}\n      hints:")
	if got := unwell(w.examine()); !slices.ContainsFunc(got, func(s string) bool { return says(s, "fault hint-queue: there is no queue") }) {
		t.Errorf("before: %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"run", "--path", w.dir, "--state", w.state, "--listen", "127.0.0.1:0", "--log-format", "json"})
	}()
	defer func() { cancel(); <-ended }()
	w.until("the hint path is whole", func() bool { return len(unwell(w.examine())) == 0 })

	url, err := w.queue.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: awssdk.String("production-orders")})
	check(t, err)
	_, err = w.queue.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: url.QueueUrl, Attributes: map[string]string{"VisibilityTimeout": "77"}})
	check(t, err)
	w.until("the change is put back", func() bool {
		out, err := w.queue.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []types.QueueAttributeName{"VisibilityTimeout"}})
		check(t, err)
		return out.Attributes["VisibilityTimeout"] == "30"
	})
}

// dropHints takes away what newWard made by hand.
func (w *ward) dropHints() {
	ctx, rule := w.Context(), awssdk.String("hints")
	_, err := w.bus.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: rule, Ids: []string{"mooring"}})
	check(w, err)
	_, err = w.bus.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: rule})
	check(w, err)
	_, err = w.queue.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &w.url})
	check(w, err)
}

// unwell is what is not ok about the way of hints.
func unwell(r diagnose.Report) []string {
	var out []string
	for _, c := range r.Checks {
		if strings.HasPrefix(c.Name, "hint") && c.Result != diagnose.OK {
			out = append(out, fmt.Sprintf("%s %s: %s", c.Result, c.Name, c.Found))
		}
	}
	return out
}

// until waits for something that Mooring does by itself.
func (w *ward) until(what string, done func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("never: %s; the way of hints: %q", what, unwell(w.examine()))
		}
	}
}
