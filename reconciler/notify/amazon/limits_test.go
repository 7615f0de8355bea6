package amazon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/notify/amazon"
)

// endless is an event whose words are larger than what AWS takes, and made of
// what JSON escapes.
func endless(of string) notify.Event {
	e := alert
	e.Title, e.Text = strings.Repeat(of, 2000), strings.Repeat(strings.Repeat(of, 20)+"\n", 20000)
	for range 200 {
		e.Facts = append(e.Facts, notify.Fact{Name: "live", Value: strings.Repeat(of, 3000)})
	}
	return e
}

// hearing is an AWS that takes everything, and what it was sent.
func hearing(t *testing.T, answer string) (address string, got *[][]byte) {
	t.Helper()
	got = new([][]byte)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		*got = append(*got, body)
		_, _ = io.WriteString(w, answer) // the client tells when it was not read
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// AWS refuses no alert for its size: a message to a topic stays below 256 KB
// with a subject below 100 characters, and is whole JSON.
func TestTopicsLimits(t *testing.T) {
	for _, of := range []string{"a", "\"", "ü", "<", "\x01", "\\"} {
		address, got := hearing(t, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
		if err := amazon.NewTopic(sns.NewFromConfig(config(address)), "arn:aws:sns:eu-west-1:111111111111:alerts").Notify(t.Context(), endless(of)); err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(string((*got)[0]))
		if err != nil {
			t.Fatal(err)
		}
		var message map[string]string
		var event notify.Event
		if err := json.Unmarshal([]byte(form.Get("Message")), &message); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(message["default"]), &event); err != nil || event.Fingerprint != alert.Fingerprint {
			t.Errorf("%q: %v: %+v", of, err, event.Fingerprint)
		}
		if len(form.Get("Message")) > 262144-1024 || len(form.Get("Subject")) >= 100 || len(message["sms"]) > 1600 || !strings.Contains(event.Text, "more lines") {
			t.Errorf("%q: %d bytes, a subject of %d, an SMS of %d", of, len(form.Get("Message")), len(form.Get("Subject")), len(message["sms"]))
		}
	}
}

// What goes to a bus in one call is at most ten entries of less than 256 KB
// together, and all of them go, in order.
func TestBusLimits(t *testing.T) {
	address, got := hearing(t, `{"FailedEntryCount":0,"Entries":[]}`)
	var events []notify.Event
	for i := range 25 {
		e := alert
		e.ID = string(rune('a' + i))
		if i%3 == 0 {
			e = endless("ü")
			e.ID = string(rune('a' + i))
		}
		events = append(events, e)
	}
	if err := amazon.NewBus(eventbridge.NewFromConfig(config(address)), "default").NotifyAll(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	var ids string
	for _, body := range *got {
		var in struct {
			Entries []struct{ Detail, Source, DetailType string }
		}
		if err := json.Unmarshal(body, &in); err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, entry := range in.Entries {
			var e notify.Event
			if err := json.Unmarshal([]byte(entry.Detail), &e); err != nil {
				t.Fatal(err)
			}
			ids += e.ID
			size += len(entry.Detail) + len(entry.Source) + len(entry.DetailType) + 14
		}
		if size >= 262144 || len(in.Entries) > 10 || len(in.Entries) == 0 {
			t.Errorf("%d entries of %d bytes", len(in.Entries), size)
		}
	}
	if ids != "abcdefghijklmnopqrstuvwxy" {
		t.Errorf("told %q", ids)
	}
}

// People who hear of an alert by a topic see whether it fires and where to act.
func TestATopicsWordsLeadSomewhere(t *testing.T) {
	address, got := hearing(t, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
	topic := amazon.NewTopic(sns.NewFromConfig(config(address)), "arn:aws:sns:eu-west-1:111111111111:alerts")
	e := alert
	e.Link, e.Facts = "https://mooring.example/environments/production", []notify.Fact{{Name: "live", Value: "256"}}
	e.Actions = []notify.Action{{Name: "hold", Link: e.Link + "#hold"}}
	over := e
	over.Status, over.Actions = notify.Resolved, nil
	long := e
	long.Title = strings.Repeat("very long ", 500)
	var words []map[string]string
	for i, e := range []notify.Event{e, over, long} {
		if err := topic.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		form, err := url.ParseQuery(string((*got)[i]))
		if err != nil {
			t.Fatal(err)
		}
		var message map[string]string
		if err := json.Unmarshal([]byte(form.Get("Message")), &message); err != nil {
			t.Fatal(err)
		}
		words = append(words, message)
	}
	for _, want := range []string{"[HIGH]", "live: 256", "look: " + e.Link, "hold: " + e.Link + "#hold"} {
		if !strings.Contains(words[0]["email"], want) {
			t.Errorf("the mail lacks %q: %s", want, words[0]["email"])
		}
	}
	if !strings.HasPrefix(words[0]["sms"], "[HIGH]") || !strings.HasSuffix(words[0]["sms"], "\n"+e.Link) || !strings.HasPrefix(words[1]["sms"], "[RESOLVED]") {
		t.Errorf("to telephones: %q, %q", words[0]["sms"], words[1]["sms"])
	}
	if len(words[2]["sms"]) > 1600 {
		t.Errorf("%d bytes to a telephone", len(words[2]["sms"]))
	}
}

// A thousand at once are few messages to a topic, each within SNS's bounds and
// under attributes that hold for all in it; none overtakes another of its alert.
func TestATopicsStorm(t *testing.T) {
	address, got := hearing(t, `<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>`)
	var events []notify.Event
	for i := range 1000 {
		e := alert
		e.ID, e.Fingerprint, e.Link = fmt.Sprint("a", i), fmt.Sprint("f", i), "https://mooring.example/environments/production"
		e.Severity, e.Environment = []string{"high", "low"}[i%2], []string{"production", "staging"}[i/500]
		events = append(events, e)
	}
	over := events[0]
	over.ID, over.Status = "over", notify.Resolved
	again := events[0]
	again.ID = "again"
	ours := alert
	ours.ID, ours.Fingerprint, ours.Environment, ours.Title = "ours", "/outbox_error/oncall", "", strings.Repeat("long ", 30)
	events = append(events, over, again, ours)
	if err := amazon.NewTopic(sns.NewFromConfig(config(address)), "arn:aws:sns:eu-west-1:111111111111:alerts").NotifyAll(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	var order []string
	for i, body := range *got {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		var message map[string]string
		var group struct {
			notify.Event
			Events []notify.Event
		}
		if err := errors.Join(json.Unmarshal([]byte(form.Get("Message")), &message), json.Unmarshal([]byte(message["default"]), &group)); err != nil {
			t.Fatal(err)
		}
		if len(form.Get("Message")) > 262144-1024 || len(message["sms"]) > 1600 {
			t.Errorf("message %d has %d bytes, its SMS %d", i, len(form.Get("Message")), len(message["sms"]))
		}
		if len(group.Events) == 0 {
			group.Events = []notify.Event{group.Event}
		} else if !strings.Contains(message["email"], "look "+group.Events[0].Environment+": https://mooring.example/environments/production") || !strings.Contains(message["sms"], "alerts, ") {
			t.Errorf("people get %q and %q", message["email"], message["sms"])
		}
		if subject := form.Get("Subject"); subject == "" || len(subject) >= 100 {
			t.Errorf("a subject of %d characters: %s", len(subject), subject)
		}
		said := map[string]string{}
		for n := 1; form.Has(fmt.Sprintf("MessageAttributes.entry.%d.Name", n)); n++ {
			at := fmt.Sprintf("MessageAttributes.entry.%d.", n)
			said[form.Get(at+"Name")] = form.Get(at + "Value.StringValue")
		}
		for _, e := range group.Events {
			want := map[string]string{"kind": e.Kind, "severity": e.Severity, "status": e.Status, "environment": e.Environment}
			if e.Environment == "" {
				delete(want, "environment") // SNS takes no empty one
			}
			if !maps.Equal(said, want) {
				t.Errorf("%s goes under %v", e.ID, said)
				break
			}
			order = append(order, e.ID)
			if attributes := string(body); e.Severity != group.Events[0].Severity || !strings.Contains(attributes, "="+e.Severity) || !strings.Contains(attributes, "="+e.Status) {
				t.Errorf("%s is %s and %s under other attributes", e.ID, e.Severity, e.Status)
			}
		}
	}
	at := func(id string) int { return slices.Index(order, id) }
	if len(*got) > 12 || len(order) != 1003 || at("a0") > at("over") || at("over") > at("again") {
		t.Errorf("%d messages with %d events: a0 %d, over %d, again %d", len(*got), len(order), at("a0"), at("over"), at("again"))
	}
}
