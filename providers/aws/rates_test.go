package aws

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/aws/sandbox"
)

// TestOurOwnRateStaysBelowTheAccounts: with the account's lanes switched on,
// a provider that knows them is never refused.
func TestOurOwnRateStaysBelowTheAccounts(t *testing.T) {
	model := quota.New(quota.Options{})
	refused := 0
	b := newBoxed(t, sandbox.Options{Rates: true}, func(o *Options) {
		o.Quota = model
		o.OnCall = func(_, _, code string) {
			if code == "TooManyRequestsException" {
				refused++
			}
		}
	})
	all := b.shop("preview")[:4] // queues, role, function
	b.converge(all)
	if refused > 0 {
		t.Errorf("refused %d times", refused)
	}
}

// TestLesson53RefusalsSlowTheLane: somebody else drives on the same account, so its
// refusals are taken as a sign, and the work is still done.
func TestLesson53RefusalsSlowTheLane(t *testing.T) {
	b := newBoxed(t, sandbox.Options{})
	if _, err := b.box.Faults.Add(sandbox.Rule{Service: "lambda", Operation: "GetFunction", Times: 2, Effect: sandbox.Effect{Throttle: true}}); err != nil {
		t.Fatal(err)
	}
	all := b.shop("preview")
	b.converge(all)
	for _, lane := range b.Lanes() {
		if lane.Name == "lambda:GetFunction" {
			if lane.Throttles != 2 || lane.Allowed >= lane.PerSecond {
				t.Errorf("lane %+v", lane)
			}
			return
		}
	}
	t.Error("no lane for GetFunction")
}

// TestAnAnswerThatNeverComesIsNotWaitedFor: one hanging call must not hold an
// environment.
func TestAnAnswerThatNeverComesIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	w := newWorld(t, testOptions(t, server.URL))
	w.front.gate.patience = 20 * time.Millisecond
	start := time.Now()
	_, err := w.Observe(w.ctx, w.shop("preview")[0])
	if err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	if providers.KindOf(err) != providers.Transient {
		t.Errorf("%v is not transient", err)
	}
}
