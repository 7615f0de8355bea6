package aws

import (
	"context"
	"fmt"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/aws/sandbox"
	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/sources/manifest"
)

// trailed is a settled shop in which Alice changed the checkout function.
func trailed(t *testing.T, change ...func(*Options)) (*boxed, manifest.Resource, time.Time) {
	t.Helper()
	b, all, _ := settled(t, sandbox.Options{}, change...)
	b.box.RegisterActor("AKIAALICE", wire.Actor{AccessKey: "AKIAALICE", Type: "IAMUser", Name: "user/alice", ARN: "arn:aws:iam::" + testAccount + ":user/alice"})
	fn, since := find(t, all, "Function/checkout"), b.box.Now().Add(-time.Second) // events tell whole seconds
	alice := lambda.NewFromConfig(b.as("AKIAALICE"))
	if _, err := alice.UpdateFunctionConfiguration(b.ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: &fn.Physical, Timeout: awssdk.Int32(99)}); err != nil {
		t.Fatal(err)
	}
	return b, fn, since
}

// bustle is what others do in the account: reads of the function, and writes
// of something else.
func (b *boxed) bustle(fn manifest.Resource, reads, writes int) {
	b.t.Helper()
	cfg := b.as("AKIABOB")
	functions, queues := lambda.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	for range reads {
		if _, err := functions.GetFunctionConcurrency(b.ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &fn.Physical}); err != nil {
			b.t.Fatal(err)
		}
	}
	queue, err := queues.CreateQueue(b.ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("busy")})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range writes {
		if _, err := queues.TagQueue(b.ctx, &sqs.TagQueueInput{QueueUrl: queue.QueueUrl, Tags: map[string]string{"n": fmt.Sprint(i)}}); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *boxed) lookups() int { return b.box.Counts().Operations["cloudtrail:LookupEvents"] }

func isAlice(actors []providers.Actor) bool {
	return len(actors) == 1 && actors[0].Name == "user/alice" && actors[0].Event == "UpdateFunctionConfiguration"
}

// TestActorsBehindThousandsOfReads: who changed a function is found however
// often it was read since, in as many calls as there are pages of writes.
func TestActorsBehindThousandsOfReads(t *testing.T) {
	b, fn, since := trailed(t)
	b.bustle(fn, 3000, 60)
	before := b.lookups()
	actors, err := b.Actors(b.ctx, fn, since)
	if err != nil || !isAlice(actors) {
		t.Errorf("actors %+v, %v", actors, err)
	}
	if n := b.lookups() - before; n > 2 {
		t.Errorf("%d calls for 61 writes", n)
	}
	// Others ask about the same writes: the reading is shared.
	before = b.lookups()
	other := fn
	other.Ref, other.Physical = manifest.Ref{Kind: manifest.KindFunction, Name: "other"}, "preview-other"
	if actors, err := b.Actors(b.ctx, other, since); err != nil || len(actors) > 0 {
		t.Errorf("somebody else's function: %+v, %v", actors, err)
	}
	if n := b.lookups() - before; n != 0 {
		t.Errorf("%d calls for what was read already", n)
	}
}

// TestActorsBehindMoreWritesThanAreRead: the resource's own name leads to its
// actor where the account writes more than a reading reads.
func TestActorsBehindMoreWritesThanAreRead(t *testing.T) {
	b, fn, since := trailed(t)
	b.bustle(fn, 120, pagesOfWrites*50+20)
	before := b.lookups()
	actors, err := b.Actors(b.ctx, fn, since)
	if err != nil || !isAlice(actors) {
		t.Errorf("actors %+v, %v", actors, err)
	}
	if n := b.lookups() - before; n > pagesOfWrites+pagesOfName {
		t.Errorf("%d calls", n)
	}
	// All those writes are not read again for the next question.
	before = b.lookups()
	if _, err := b.Actors(b.ctx, fn, since); err != nil {
		t.Error(err)
	}
	if n := b.lookups() - before; n > pagesOfName {
		t.Errorf("%d calls for the next question", n)
	}
}

// TestActorsAreReadOnAtTheNextLook: a look that may take no longer is gone on
// with by the next, and the rate is kept.
func TestActorsAreReadOnAtTheNextLook(t *testing.T) {
	const perSecond = 20
	b, fn, since := trailed(t, func(o *Options) { o.Quota = quota.New(quota.Options{Share: 0.5, Background: 0.1, Scale: perSecond}) }) // half of 2/s, times 20
	b.bustle(fn, 0, 39*50)
	started, looks, before := time.Now(), 0, b.lookups()
	for actors := []providers.Actor(nil); !isAlice(actors); looks++ {
		if looks > 30 {
			t.Fatalf("not found after %d looks and %d calls", looks, b.lookups()-before)
		}
		ctx, cancel := context.WithTimeout(b.ctx, 300*time.Millisecond)
		var err error
		if actors, err = b.Actors(ctx, fn, since); err != nil {
			t.Logf("look %d: %v", looks, err) // the lane was not free at all
		}
		cancel()
	}
	calls, seconds := b.lookups()-before, time.Since(started).Seconds()
	if looks < 3 || calls < 40 || calls > 60 {
		t.Errorf("found after %d looks and %d calls", looks, calls)
	}
	if most := perSecond*seconds + perSecond; float64(calls) > most {
		t.Errorf("%d calls in %.2f s: more than the rate", calls, seconds)
	}
}
