package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// rate is how many calls a second each environment gets.
const rate = 40

// traffic sends orders to every environment's checkout, steadily.
type traffic struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	sent   atomic.Int64
	failed atomic.Int64
}

func sendTraffic(ctx context.Context, endpoint string) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{cancel: cancel}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for _, env := range []string{"preview", "staging", "production"} {
		t.wg.Go(func() { t.drive(ctx, client, endpoint, env+"-checkout") })
	}
	return t
}

// drive sends one call a tick, without waiting for the answer before.
func (t *traffic) drive(ctx context.Context, client *http.Client, endpoint, function string) {
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	limit := make(chan struct{}, 20)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		select {
		case limit <- struct{}{}:
			calls.Go(func() { t.call(ctx, client, endpoint, function); <-limit })
		default: // the shop is full: this customer leaves
		}
	}
}

func (t *traffic) call(ctx context.Context, client *http.Client, endpoint, function string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/2015-03-31/functions/"+function+":live/invocations", bytes.NewReader([]byte(`{"order":1}`)))
	if err != nil {
		return
	}
	day := time.Now().UTC().Format("20060102")
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/%s/lambda/aws4_request, SignedHeaders=host, Signature=%s", keyTraffic, day, region, strings.Repeat("0", 64)))
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return // not deployed yet
	}
	t.sent.Add(1)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("X-Amz-Function-Error") != "" {
		t.failed.Add(1)
	}
}

func (t *traffic) stop() {
	t.cancel()
	t.wg.Wait()
}
