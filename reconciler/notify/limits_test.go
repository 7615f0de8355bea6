package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// endless is an event that is too long in every place a receiver bounds; each
// of its texts is made of what some format escapes.
func endless(of string) Event {
	long := strings.Repeat(of, 20000/len(of))
	e := sample
	e.Title, e.Text, e.Resource = "title "+long, strings.Repeat("line "+long[:200]+"\n", 1000), "Function/"+long
	e.Labels = map[string]string{"resource": long, "actor": long, "plain": "x"}
	for i := range 40 {
		e.Facts = append(e.Facts, Fact{Name: fmt.Sprint("fact ", i, long), Value: long})
		e.Actions = append(e.Actions, Action{Name: fmt.Sprint("act ", i, long), Link: "http://127.0.0.1:8420/" + strings.Repeat("a", 50*i)})
	}
	e.Link = "http://127.0.0.1:8420/" + strings.Repeat("a", 5000)
	return e
}

// bounds are what receivers refuse a message for.
func slackBounds(t *testing.T, body []byte) {
	var m slackMessage
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	characters := func(what, text string, most int) {
		if n := utf8.RuneCountInString(text); n > most {
			t.Errorf("%s has %d characters of %d", what, n, most)
		}
		// An entity that was cut in two would be shown as it is; a header is plain.
		if at := strings.LastIndex(text, "&"); what != "header" && at >= 0 && len(text)-at < 5 && !strings.Contains(text[at:], ";") {
			t.Errorf("%s ends within an entity: %q", what, text[at:])
		}
	}
	characters("the text", m.Text, 4000)
	for _, a := range m.Attachments {
		if len(a.Blocks) > 50 {
			t.Errorf("%d blocks", len(a.Blocks))
		}
		for _, b := range a.Blocks {
			most := map[string]int{"header": 150, "section": 3000}[b.Type]
			if b.Text != nil {
				characters(b.Type, b.Text.Text, most)
				if b.Type == "section" && strings.Count(b.Text.Text, "<") != strings.Count(b.Text.Text, ">") {
					t.Errorf("a link is cut: %q", b.Text.Text[max(0, len(b.Text.Text)-60):])
				}
			}
			if len(b.Fields) > 10 {
				t.Errorf("%d fields", len(b.Fields))
			}
			for _, f := range b.Fields {
				characters("a field", f.Text, 2000)
			}
		}
	}
}

func teamsBounds(t *testing.T, body []byte) {
	if len(body) > 28<<10 {
		t.Errorf("%d bytes of %d", len(body), 28<<10)
	}
	if !json.Valid(body) {
		t.Error("no JSON")
	}
}

func pagerDutyBounds(t *testing.T, body []byte) {
	var e pagerDutyEvent
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCountInString(e.Payload.Summary); n > 1024 || len(body) > 512<<10 || len(e.Key) > 255 {
		t.Errorf("a summary of %d characters, a key of %d, %d bytes", n, len(e.Key), len(body))
	}
}

func alertmanagerBounds(t *testing.T, body []byte) {
	var alerts []alertmanagerAlert
	if err := json.Unmarshal(body, &alerts); err != nil {
		t.Fatal(err)
	}
	for name, value := range alerts[0].Labels {
		if len(value) > alertmanagerLabel || !utf8.ValidString(value) || name == "" {
			t.Errorf("label %s has %d bytes", name, len(value))
		}
	}
	if alerts[0].Labels["fingerprint"] != sample.Fingerprint {
		t.Error("it is not known any more by what it is known by")
	}
}

// No receiver refuses a message for its size, whatever an event says: what is
// too long is cut between characters, and what is too much is counted.
func TestReceiversLimits(t *testing.T) {
	for name, r := range map[string]struct {
		make   func(url string) Notifier
		bounds func(*testing.T, []byte)
		more   string // what says that something is missing
	}{
		"slack":        {func(u string) Notifier { return NewSlack(fixed(u), transport(t)) }, slackBounds, "and 31 more"},
		"teams":        {func(u string) Notifier { return NewTeams(fixed(u), transport(t)) }, teamsBounds, "more"},
		"pagerduty":    {func(u string) Notifier { return NewPagerDuty(fixed("key"), u, transport(t)) }, pagerDutyBounds, "and 11 more"},
		"alertmanager": {func(u string) Notifier { return NewAlertmanager(fixed(u), transport(t)) }, alertmanagerBounds, "more lines"},
	} {
		for _, of := range []string{"<", "&", "ü", "\x01", "\xff", "word "} {
			t.Run(fmt.Sprintf("%s %q", name, of), func(t *testing.T) {
				server, got := receiver(t, 202, nil)
				n := r.make(server.URL)
				if err := n.Notify(t.Context(), endless(of)); err != nil {
					t.Fatal(err)
				}
				r.bounds(t, (*got)[0].body)
				if !strings.Contains(string((*got)[0].body), r.more) {
					t.Errorf("%q is not said", r.more)
				}
				if together, can := n.(Grouper); can {
					one, many := endless(of), make([]Event, 100)
					for i := range many {
						many[i] = one
					}
					if err := together.NotifyAll(t.Context(), many); err != nil {
						t.Fatal(err)
					}
					r.bounds(t, (*got)[1].body)
					if body := string((*got)[1].body); name != "alertmanager" && (!strings.Contains(body, "100 alerts") || !strings.Contains(body, "more")) {
						t.Errorf("the rest is not counted: %.300s", body)
					}
				}
			})
		}
	}
}

// What fits is sent word for word.
func TestWhatFitsIsLeft(t *testing.T) {
	if got := Fit(told, 256<<10); fmt.Sprint(got) != fmt.Sprint(told) {
		t.Errorf("%+v became %+v", told, got)
	}
}

// Fit keeps its promise for any event and bound, and the event stays the one
// it is.
func TestFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := sample
		e.Title, e.Text = rapid.StringN(0, 400, -1).Draw(t, "title"), strings.Repeat(rapid.StringN(1, 40, -1).Draw(t, "text"), rapid.IntRange(1, 3000).Draw(t, "times"))
		for range rapid.IntRange(0, 60).Draw(t, "facts") {
			e.Facts = append(e.Facts, Fact{rapid.StringN(0, 20, -1).Draw(t, "name"), rapid.StringN(0, 600, -1).Draw(t, "value")})
		}
		most := rapid.IntRange(16<<10, 300<<10).Draw(t, "most")
		got := Fit(e, most)
		body, err := json.Marshal(got)
		if err != nil || len(body) > most || got.Fingerprint != e.Fingerprint || got.ID != e.ID || got.Status != e.Status {
			t.Fatalf("%d bytes of %d: %v", len(body), most, err)
		}
	})
}

// What is cut says how many lines are missing, and is no longer than it may be.
func TestCutLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-zü]{0,30}`), 1, 60).Draw(t, "lines")
		text, most := strings.Join(lines, "\n"), rapid.IntRange(16, 400).Draw(t, "most")
		got := cutLines(text, most)
		kept, rest, counted := strings.Cut(got, "… and ")
		switch {
		case len(got) > most || !utf8.ValidString(got):
			t.Fatalf("%d bytes of %d: %q", len(got), most, got)
		case len(text) <= most && got != text, !strings.HasPrefix(text, strings.TrimSuffix(kept, "…")):
			t.Fatalf("%q became %q", text, got)
		case counted && !strings.HasPrefix(rest, fmt.Sprint(len(lines)-strings.Count(kept, "\n"), " more line")):
			t.Fatalf("of %d lines: %q", len(lines), got)
		}
	})
}

// A mail's headers are those we write, whatever an event says, and no line is
// longer than mail servers take.
func TestMailHoldsItsLines(t *testing.T) {
	m := NewEmail(EmailOptions{Server: "mail:25", From: "mooring@shop.example", To: strings.Split(strings.Repeat("somebody@shop.example ", 80), " ")[:80]})
	rapid.Check(t, func(t *rapid.T) {
		e := endless(rapid.SampledFrom([]string{"a", "ü", "\r\nBcc: eve@x.example\r\n", "\n.\n", "=", "\x00", " "}).Draw(t, "of"))
		e.Title = rapid.StringN(0, 300, -1).Draw(t, "title") + e.Title
		body, err := m.message(letter{id: e.ID, thread: e.Fingerprint, subject: Headline(e), text: e.Text, at: e.At})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(body), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") {
				t.Fatalf("a line of %d bytes: %.80q", len(line), line)
			}
		}
		parsed, err := mail.ReadMessage(strings.NewReader(string(body)))
		if err != nil || len(parsed.Header) != 10 || parsed.Header.Get("Bcc") != "" {
			t.Fatalf("%v: %v", parsed.Header, err)
		}
		to, err := parsed.Header.AddressList("To")
		if subject, bad := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject")); err != nil || len(to) != 80 || bad != nil || !strings.HasPrefix(subject, "[HIGH]") {
			t.Fatalf("to %d, %q: %v, %v", len(to), subject, err, bad)
		}
		if text, err := io.ReadAll(quotedprintable.NewReader(parsed.Body)); err != nil || len(text)-strings.Count(string(text), "\r\n") > emailText {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
	})
}

// A receiver that asks for patience gets it, in seconds or by a date, within
// reason; it is never an event refused for good.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			code   int
			header string
			want   time.Duration
		}{
			{429, "7", 7 * time.Second}, {429, "", 0}, {429, "soon", 0}, {429, "-3", 0}, {503, "90", 90 * time.Second}, {429, "999999", time.Hour},
			{429, time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat), 2 * time.Minute}, {429, "Mon, 02 Jan 1995 15:04:05 GMT", 0},
		} {
			r := &http.Response{StatusCode: c.code, Header: http.Header{}}
			if c.header != "" {
				r.Header.Set("Retry-After", c.header)
			}
			err := classify("hooks.example", r)
			if err == nil || IsPermanent(err) || errors.Is(err, context.Canceled) || asked(err) != c.want {
				t.Errorf("%d with %q: wait %s, want %s (%v)", c.code, c.header, asked(err), c.want, err)
			}
		}
	})
}
