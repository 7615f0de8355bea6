package aws

import (
	"fmt"
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/sources/manifest"
)

// declaredQueues are n queues that nobody made yet.
func declaredQueues(n int) (all []manifest.Resource) {
	for i := range n { // the last of 1,001 stands on a second page
		name := fmt.Sprintf("q%04d", i)
		all = append(all, manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: name}, Physical: "preview-" + name, Spec: &manifest.QueueSpec{VisibilityTimeout: 30}})
	}
	return all
}

// Of hundreds of queues that are not there, as of a release that is held, one
// listing tells in each survey; what comes to be there is seen in the next one,
// whoever made it. Who may not list asks for each, and knows the same.
func TestQueuesThatAreNotThereAreListed(t *testing.T) {
	const declared = 200
	var heard operations
	b := newBoxed(t, sandbox.Options{}, func(o *Options) { o.OnCall = heard.heard })
	all := declaredQueues(declared)
	hand := sqs.NewFromConfig(b.as("AKIABOB"))
	make := func(name string) {
		if _, err := hand.CreateQueue(b.ctx, &sqs.CreateQueueInput{QueueName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	make("another") // without what they have in common
	there := 0
	survey := func(when string, lists, asks int) {
		t.Helper()
		heard.take()
		inv, n := b.survey(all), 0
		calls := heard.take()
		t.Logf("%s: %d listings, %d questions", when, calls["SQS:ListQueues"], calls["SQS:GetQueueUrl"])
		for _, res := range all {
			if live, told := inv.Live[res.Ref]; !told {
				t.Errorf("%s: %s is not told of", when, res.Ref)
			} else if live.Exists {
				n++
			}
		}
		if n != there || calls["SQS:ListQueues"] != lists || calls["SQS:GetQueueUrl"] != asks {
			t.Errorf("%s: %d of %d are seen, by %d listings and %d questions; want %d and %d", when, n, there, calls["SQS:ListQueues"], calls["SQS:GetQueueUrl"], lists, asks)
		}
	}
	survey("none", 1, 0)
	survey("none, again", 1, 0)
	for _, res := range all[:50] {
		if _, err := b.Put(b.ctx, providers.Change{Resource: res, Release: testRelease}); err != nil {
			t.Fatal(err)
		}
	}
	make(all[60].Physical)
	there = 51
	survey("some", 1, 0)
	if _, err := b.box.Faults.Add(sandbox.Rule{Operation: "ListQueues", Effect: sandbox.Effect{Status: 403, Code: "AccessDenied"}}); err != nil {
		t.Fatal(err)
	}
	survey("not listed", 1, declared-there)
	b.box.Faults.Clear()
	all, there = all[:59], 50
	survey("few", 0, 9)
}

// A listing that is longer than what it would spare is not read to its end, and
// tells of none that it is absent.
func TestALongListOfQueuesTellsNothing(t *testing.T) {
	var heard operations
	b := newBoxed(t, sandbox.Options{}, func(o *Options) { o.OnCall = heard.heard })
	hand, all := sqs.NewFromConfig(b.as("AKIABOB")), declaredQueues(1012)
	parallel(8, all[:1001], func(res manifest.Resource) {
		if _, err := hand.CreateQueue(b.ctx, &sqs.CreateQueueInput{QueueName: awssdk.String(res.Physical)}); err != nil {
			t.Error(err)
		}
	})
	called := func(name string) manifest.Resource {
		return manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindQueue, Name: name}, Physical: "preview-" + name, Spec: all[0].Spec}
	}
	for name, c := range map[string]struct {
		of    []manifest.Resource
		lists int
		asks  int
	}{
		"what they have in common is little": {append(all[1000:1012:1012], called("x")), 1, 13},
		"it is much":                         {all[1000:], 1, 0},
		"a full page that is the last":       {append(all[:20:20], called("q0x")), 1, 21}, // who answers may have cut it
	} {
		heard.take()
		fresh := newWorld(t, b.o)
		inv, err := fresh.Survey(b.ctx, c.of)
		if calls := heard.take(); err != nil || calls["SQS:ListQueues"] != c.lists || calls["SQS:GetQueueUrl"] != c.asks {
			t.Errorf("%s: %v, %v", name, calls, err)
		}
		for _, res := range c.of {
			if live, told := inv.Live[res.Ref]; !told || live.Exists != slices.ContainsFunc(all[:1001], func(made manifest.Resource) bool { return made.Ref == res.Ref }) {
				t.Errorf("%s: %s is there: %v, told: %v", name, res.Ref, live.Exists, told)
			}
		}
	}
}
