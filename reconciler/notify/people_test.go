package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var told = func() Event {
	e := sample
	e.Title = "production: Function/checkout <!channel> & more"
	e.Facts = []Fact{{"declared", "512"}, {"live", "<@U123> & 256"}, {"who", "user/bob"}}
	e.Actions = []Action{{"hold", "http://127.0.0.1:8420/production#hold"}}
	return e
}()

// Every receiver for people tells what, from what to what, who, and where to
// act; what an alert says is never read as a command of the receiver's.
func TestReceiversTellPeople(t *testing.T) {
	for name, c := range map[string]struct {
		make func(url string) Notifier
		want []string
		not  []string
	}{
		"slack": {func(u string) Notifier { return NewSlack(fixed(u), transport(t)) },
			[]string{"HIGH", "&lt;@U123&gt; &amp; 256", "512", "user/bob", "http://127.0.0.1:8420/production#hold|hold", "http://127.0.0.1:8420/production|look", "#c62828"},
			[]string{"<@U123>"}},
		"teams": {func(u string) Notifier { return NewTeams(fixed(u), transport(t)) },
			[]string{"HIGH", "<@U123> & 256", "user/bob", "http://127.0.0.1:8420/production#hold", "AdaptiveCard", "Attention"}, nil},
		"pagerduty": {func(u string) Notifier { return NewPagerDuty(fixed("key"), u, transport(t)) },
			[]string{`"routing_key":"key"`, `"event_action":"trigger"`, `"dedup_key":"f1"`, `"severity":"error"`, "user/bob", "#hold"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server, got := receiver(t, 202, nil)
			if err := c.make(server.URL).Notify(t.Context(), told); err != nil {
				t.Fatal(err)
			}
			var any map[string]any
			if err := json.Unmarshal((*got)[0].body, &any); err != nil {
				t.Fatal(err)
			}
			body := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string((*got)[0].body))
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("%q is missing in %s", want, body)
				}
			}
			for _, not := range c.not {
				if strings.Contains(body, not) {
					t.Errorf("%q stands in %s", not, body)
				}
			}
		})
	}
}

// An incident is resolved under the key it was triggered with, whatever the
// fingerprint's length, and never triggered by being resolved.
func TestPagerDutyResolvesWhatItTriggered(t *testing.T) {
	server, got := receiver(t, 202, nil)
	p := NewPagerDuty(fixed("key"), server.URL+"/", transport(t))
	long := sample
	long.Fingerprint = strings.Repeat("production/drift/", 30)
	for _, status := range []string{Firing, Resolved} {
		e := long
		e.Status = status
		if err := p.Notify(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	var first, second pagerDutyEvent
	if err := errors.Join(json.Unmarshal((*got)[0].body, &first), json.Unmarshal((*got)[1].body, &second)); err != nil {
		t.Fatal(err)
	}
	if first.Key != second.Key || len(first.Key) > pagerDutyKey || second.Action != "resolve" || second.Payload != nil || (*got)[0].path != "/v2/enqueue" {
		t.Errorf("%+v, then %+v, to %s", first, second, (*got)[0].path)
	}
	if err := NewPagerDuty(fixed(""), server.URL, transport(t)).Notify(t.Context(), sample); err == nil || len(*got) != 2 {
		t.Errorf("without a key: %v", err)
	}
}

// A thousand alerts are one message that tells the worst first and counts the
// rest, within what the receivers take.
func TestAStormIsOneMessage(t *testing.T) {
	var events []Event
	for i := range 1000 {
		e := sample
		e.ID, e.Title = fmt.Sprint("a", i), fmt.Sprintf("Function/f%d memorySize changed", i)
		e.Severity = []string{"low", "medium"}[i%2]
		events = append(events, e)
	}
	events[5].Environment, events[5].Link = "staging", "http://127.0.0.1:8420/staging"
	events[700].Severity, events[700].Title = "critical", "the one that matters"
	events[3].Status = Resolved
	for name, make := range map[string]func(url string) Grouper{
		"slack": func(u string) Grouper { return NewSlack(fixed(u), transport(t)) },
		"teams": func(u string) Grouper { return NewTeams(fixed(u), transport(t)) },
	} {
		server, got := receiver(t, 200, nil)
		if err := make(server.URL).NotifyAll(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		body := string((*got)[0].body)
		if len(*got) != 1 || len(body) > 28<<10 || !strings.Contains(body, "1000 alerts, 999 of them firing: production drift 999, staging drift 1") || !strings.Contains(body, "and 970 more") {
			t.Errorf("%s: %d messages, %d bytes: %s", name, len(*got), len(body), body)
		}
		for _, link := range []string{sample.Link, "http://127.0.0.1:8420/staging"} {
			if n := strings.Count(body, link+"\"") + strings.Count(body, link+"|"); n != 1 {
				t.Errorf("%s: %d links to %s: %s", name, n, link, body)
			}
		}
		if worst, next := strings.Index(body, "the one that matters"), strings.Index(body, "MEDIUM"); worst < 0 || next < worst {
			t.Errorf("%s: the worst is at %d, after %d", name, worst, next)
		}
	}
}

// What is cut is valid text of at most so many bytes, and its beginning.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, most := rapid.String().Draw(t, "text"), rapid.IntRange(3, 40).Draw(t, "most")
		got := cut(text, most)
		if len(got) > most || !utf8.ValidString(got) || got != text && !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) {
			t.Errorf("cut(%q, %d) = %q", text, most, got)
		}
		if len(text) <= most && got != text {
			t.Errorf("%q needed no cutting: %q", text, got)
		}
	})
}

func TestTemplate(t *testing.T) {
	tmpl, err := ParseTemplate(`{"msg": {{json .Title}}, "facts": [{{range $i, $f := .Facts}}{{if $i}},{{end}}{{json $f.Value}}{{end}}]}`, "application/vnd.shop+json")
	if err != nil {
		t.Fatal(err)
	}
	server, got := receiver(t, 200, nil)
	hook := NewWebhook(fixed(server.URL), fixed("key"), transport(t)).WithTemplate(tmpl)
	hostile := told
	hostile.Title = `"}, "x": {"`
	if err := hook.Notify(t.Context(), hostile); err != nil {
		t.Fatal(err)
	}
	r := (*got)[0]
	var body struct {
		Msg   string
		Facts []string
	}
	if err := json.Unmarshal(r.body, &body); err != nil || body.Msg != hostile.Title || len(body.Facts) != 3 {
		t.Errorf("%s: %v", r.body, err)
	}
	if r.header.Get("Content-Type") != "application/vnd.shop+json" || r.header.Get("X-Mooring-Signature") != Sign([]byte("key"), r.body) || r.header.Get("Idempotency-Key") != "a1" {
		t.Errorf("headers %v", r.header)
	}
	for name, text := range map[string]string{"syntax": "{{.Title", "no such field": "{{.Titel}}", "no such field of a fact": "{{range .Facts}}{{.Wert}}{{end}}", "without end": `{{range .Facts}}{{printf "%2000000s" .Value}}{{end}}`} {
		if _, err := ParseTemplate(text, ""); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A receiver's own form gets a storm as one message that says how much it is,
// and leads to each environment.
func TestATemplatesStorm(t *testing.T) {
	tmpl, err := ParseTemplate(`{{.Status}} {{.Severity}} {{.Kind}} {{json .Title}} {{range .Actions}}{{.Link}} {{end}}`, "text/plain")
	if err != nil {
		t.Fatal(err)
	}
	server, got := receiver(t, 200, nil)
	var hook Grouper = NewWebhook(fixed(server.URL), nil, transport(t)).WithTemplate(tmpl)
	other, over := sample, sample
	other.ID, other.Severity = "a2", "critical"
	over.ID, over.Status = "a3", Resolved
	for _, events := range [][]Event{{sample, other, over}, {over, over}} {
		if err := hook.NotifyAll(t.Context(), events); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []string{"firing critical group \"3 alerts, 2 of them firing: production drift 3\" " + sample.Link + " ", "resolved high group \"2 alerts, 0 of them firing"} {
		if body := string((*got)[i].body); !strings.HasPrefix(body, want) {
			t.Errorf("message %d: %s, want %s", i, body, want)
		}
	}
}

// Many that begin at once are one incident for each kind and environment, which
// ends with the last of them; a group that is tried again repeats nothing.
func TestPagerDutysStorm(t *testing.T) {
	var got []pagerDutyEvent
	refuse := -1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e pagerDutyEvent
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		if len(got) == refuse {
			refuse = -1
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		got = append(got, e)
	}))
	t.Cleanup(server.Close)
	p := NewPagerDuty(fixed("key"), server.URL, transport(t))
	var events []Event
	for i := range 1000 {
		e := sample
		e.ID, e.Fingerprint = fmt.Sprint("a", i), fmt.Sprint("production/drift/", i)
		events = append(events, e)
	}
	events[9].Severity = "critical"
	alone := sample
	alone.ID, alone.Fingerprint, alone.Kind = "b", "production/hold/1", "hold"
	if err := p.NotifyAll(t.Context(), append(slices.Clone(events), alone)); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Key != "many/production/drift" || got[0].Payload.Severity != "critical" || got[0].ClientURL != sample.Link ||
		!strings.Contains(got[0].Payload.Summary, "1000 alerts") || got[1].Key != "production/hold/1" {
		t.Fatalf("%d incidents: %+v", len(got), got)
	}
	got = nil
	for i := range events {
		events[i].ID, events[i].Status, events[i].Last = events[i].ID+"-over", Resolved, i == 999
	}
	refuse = 600
	err := p.NotifyAll(t.Context(), events)
	if err == nil || IsPermanent(err) || len(taken(events, err)) != 600 {
		t.Fatalf("refused for their number, %d taken: %v", len(taken(events, err)), err)
	}
	if err := p.NotifyAll(t.Context(), events[600:]); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range got {
		if seen[e.Key]++; e.Action != "resolve" || seen[e.Key] > 1 {
			t.Errorf("%+v, %d times", e, seen[e.Key])
		}
	}
	if len(got) != 1001 || got[1000].Key != "many/production/drift" {
		t.Errorf("%d calls, the last of %s", len(got), got[len(got)-1].Key)
	}
}

// The incident about many alerts does not stay open for the end of the last one
// that PagerDuty refuses for good; what it refuses for now is tried again whole.
func TestPagerDutysStormEndsWithItsLast(t *testing.T) {
	answers := map[string]int{} // by dedup_key
	var taken []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e pagerDutyEvent
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		if code := answers[e.Key]; code != 0 {
			w.WriteHeader(code)
			return
		}
		taken = append(taken, e.Action+" "+e.Key)
	}))
	t.Cleanup(server.Close)
	p := NewPagerDuty(fixed("key"), server.URL, transport(t))
	const many = "resolve many/production/drift"
	last := sample
	last.Status, last.Last = Resolved, true
	for _, c := range []struct {
		own, whole int
		permanent  bool
		taken      []string
	}{
		{400, 0, true, []string{many}}, {429, 0, false, nil}, {0, 400, true, []string{"resolve f1"}}, {0, 500, false, []string{"resolve f1"}}, {400, 500, false, nil},
	} {
		taken, answers = nil, map[string]int{"f1": c.own, "many/production/drift": c.whole}
		if err := p.Notify(t.Context(), last); err == nil || IsPermanent(err) != c.permanent || !slices.Equal(taken, c.taken) {
			t.Errorf("answered %d and %d: took %v, %v", c.own, c.whole, taken, err)
		}
	}
	taken, answers = nil, map[string]int{"f1": 400}
	last.Last = false
	if err := p.Notify(t.Context(), last); !IsPermanent(err) || len(taken) != 0 {
		t.Errorf("others of its kind fire: took %v, %v", taken, err)
	}
}
