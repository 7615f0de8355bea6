package amazon_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/notify/amazon"
)

// box is an outbox's queue in memory.
type box struct {
	mu    sync.Mutex
	items []notify.Item
	empty chan struct{}
}

func (b *box) Pending() []notify.Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.items)
}

func (b *box) Delivered(_ context.Context, id, _ string, _ bool, _ string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = slices.DeleteFunc(b.items, func(i notify.Item) bool { return i.Event.ID == id })
	if len(b.items) == 0 {
		close(b.empty)
	}
	return nil
}

// delivered has an outbox deliver many events to one receiver.
func delivered(t *testing.T, to notify.Notifier, many int) {
	t.Helper()
	b := &box{empty: make(chan struct{})}
	for i := range many {
		e := alert
		e.ID, e.Fingerprint, e.Severity = fmt.Sprint("a", i), fmt.Sprint("f", i), []string{"low", "medium", "high", "critical"}[i%4]
		b.items = append(b.items, notify.Item{Event: e, Receiver: "there"})
	}
	o, err := notify.NewOutbox(notify.Options{Queue: b, First: time.Millisecond, Group: time.Millisecond, Resolve: func(string) (notify.Notifier, bool) { return to, true }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() { defer close(ended); o.Run(ctx) }()
	select {
	case <-b.empty:
	case <-time.After(20 * time.Second):
		t.Fatalf("%d are left", len(b.Pending()))
	}
	cancel()
	<-ended
}

// once is a server that answers by what it was asked; taken are the ids that it took.
func once(t *testing.T, answer func(request int, body []byte) (status int, text string, taken []string)) (address string, times func() map[string]int) {
	t.Helper()
	var mu sync.Mutex
	got, requests := map[string]int{}, 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		requests++
		status, text, taken := answer(requests, body)
		for _, id := range taken {
			got[id]++
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() map[string]int { mu.Lock(); defer mu.Unlock(); return got }
}

// TestTopicsStormRefusedInPart: a message of several is refused: it goes again,
// and those before it do not.
func TestTopicsStormRefusedInPart(t *testing.T) {
	for name, arn := range map[string]string{"a topic": "arn:aws:sns:eu-west-1:111111111111:alerts", "a FIFO topic": "arn:aws:sns:eu-west-1:111111111111:alerts.fifo"} {
		t.Run(name, func(t *testing.T) {
			address, times := once(t, func(request int, body []byte) (int, string, []string) {
				if request == 3 {
					return 503, "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>", nil
				}
				return 200, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`, published(t, body)
			})
			delivered(t, amazon.NewTopic(sns.NewFromConfig(config(address)), arn), 40)
			eachOnce(t, times())
		})
	}
}

// published are the ids of the events in a request of SNS.
func published(t *testing.T, body []byte) (ids []string) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Error(err)
	}
	var message map[string]string
	var group struct {
		ID     string
		Events []notify.Event
	}
	if err := json.Unmarshal([]byte(form.Get("Message")), &message); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(message["default"]), &group); err != nil {
		t.Error(err)
	}
	for _, e := range group.Events {
		ids = append(ids, e.ID)
	}
	if len(ids) == 0 {
		ids = []string{group.ID}
	}
	return ids
}

// TestBusRefusesInPart: entries of one batch are refused, and a batch as a whole:
// they go again, and no others.
func TestBusRefusesInPart(t *testing.T) {
	address, times := once(t, func(request int, body []byte) (int, string, []string) {
		var in struct{ Entries []struct{ Detail string } }
		if err := json.Unmarshal(body, &in); err != nil {
			t.Error(err)
		}
		if request == 4 {
			return 503, `{"__type":"InternalException"}`, nil
		}
		var taken []string
		var out struct {
			FailedEntryCount int
			Entries          []map[string]string
		}
		for i, entry := range in.Entries {
			if request == 2 && i%3 == 1 {
				out.FailedEntryCount++
				out.Entries = append(out.Entries, map[string]string{"ErrorCode": "ThrottlingException"})
				continue
			}
			var e notify.Event
			if err := json.Unmarshal([]byte(entry.Detail), &e); err != nil {
				t.Error(err)
			}
			taken, out.Entries = append(taken, e.ID), append(out.Entries, map[string]string{"EventId": "1"})
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Error(err)
		}
		return 200, string(text), taken
	})
	delivered(t, amazon.NewBus(eventbridge.NewFromConfig(config(address)), "alerts"), 40)
	eachOnce(t, times())
}

func eachOnce(t *testing.T, times map[string]int) {
	t.Helper()
	if len(times) != 40 {
		t.Errorf("%d events arrived", len(times))
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
}
