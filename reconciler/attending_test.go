package reconciler

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// longLooks is a platform at which a look at everything takes its time.
type longLooks struct {
	providers.Provider
	takes         atomic.Int64 // nanoseconds
	looks         atomic.Bool  // at one that takes any
	broken, whole atomic.Int64
}

func (p *longLooks) Survey(ctx context.Context, want []manifest.Resource) (providers.Inventory, error) {
	takes := p.takes.Load()
	p.looks.Store(takes > 0)
	defer p.looks.Store(false)
	select {
	case <-ctx.Done():
		p.broken.Add(1)
		return providers.Inventory{}, ctx.Err()
	case <-time.After(time.Duration(takes)):
	}
	p.whole.Add(1)
	return p.Provider.Survey(ctx, want)
}

// A look at everything, which takes minutes where there are thousands of
// resources, keeps nobody waiting: who reads sees what was known before, and who
// stops something is heard at once. It is no failure, and once only in a row.
func TestALongLookKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _, _, logged := minedDaemon(t, &mines{at: map[string]int{}})
		slow, opened := &longLooks{}, o.Provider
		o.Provider = func(ctx context.Context, p *manifest.Pipeline, e manifest.Environment) (_ providers.Provider, err error) {
			if e.Name != "preview" {
				return opened(ctx, p, e)
			}
			slow.Provider, err = opened(ctx, p, e)
			return slow, err
		}
		ctx, cancel := context.WithCancel(t.Context())
		d, err := New(ctx, o)
		must(err)
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx) }()
		time.Sleep(3 * time.Minute)
		const long = 5 * time.Minute
		slow.takes.Store(int64(long))
		looking := func() {
			for !slow.looks.Load() {
				time.Sleep(time.Second)
			}
		}
		took := func(do func() error) time.Duration {
			began := time.Now()
			if err := do(); err != nil {
				t.Error(err)
			}
			return time.Since(began)
		}
		hold := func() error {
			_, err := d.Hold(ctx, web.HoldRequest{Environment: "preview", Reason: "trial", For: time.Hour, By: access.Stated("ann")})
			return err
		}

		looking()
		shown := func() error {
			detail, err := d.Resource(ctx, "preview", "Function/checkout")
			if detail.State != "in_place" {
				t.Errorf("the resource is %q", detail.State)
			}
			return err
		}
		if d := took(shown); d != 0 || !slow.looks.Load() {
			t.Errorf("who reads waited %s", d)
		}
		other := func() error {
			return d.do(ctx, "preview", func(context.Context, *environment) error { return nil })
		}
		if took := took(other); took < time.Minute || slow.broken.Load() != 0 {
			t.Errorf("who has time waited %s, %d looks were broken off", took, slow.broken.Load())
		}

		looking()
		if took := took(hold); took != 0 || slow.broken.Load() != 1 {
			t.Errorf("who is in a hurry waited %s, %d looks were broken off", took, slow.broken.Load())
		}
		whole := slow.whole.Load()
		looking()
		if took := took(hold); took < long/2 || slow.broken.Load() != 1 || slow.whole.Load() != whole+1 {
			t.Errorf("the second waited %s, %d looks were broken off, %d ended", took, slow.broken.Load(), slow.whole.Load()-whole)
		}
		looking()
		if took := took(hold); took != 0 || slow.broken.Load() != 2 {
			t.Errorf("the third waited %s, %d looks were broken off", took, slow.broken.Load())
		}
		if n := logged.FilterMessage("pass failed").Len(); n != 0 {
			t.Errorf("%d passes failed", n)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
