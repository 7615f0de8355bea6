package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring.dev/reconciler/web"
)

// A daemon that goes away is asked again, each time later, from where it was
// heard last; what it refuses ends the waiting.
func TestTheTailTakesUpWhereItWas(t *testing.T) {
	var asked []string
	says := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) {
			fmt.Fprint(w, "retry: 3000\nid: 1;p=4\n\n: still here\n\nid: 1;p=5\nevent: happened\ndata: {\"environment\":\"p\",\ndata: \"text\":\"five\"}\n\nid: 1;p=6\nevent: happened\ndata: {\"envi")
		},
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter) {
			fmt.Fprint(w, "id: 1;p=6\nevent: happened\ndata: {\"environment\":\"p\",\"text\":\"six\"}\n\nid: 1;p=6;q=7\nevent: happened\ndata: {\"environment\":\"q\",\"text\":\"seven\"}\n\nevent: change\ndata: {}\n\n")
		},
		func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"no valid token"}`)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		says[len(asked)-1](w)
	}))
	defer server.Close()
	var told, said []string
	var waits []time.Duration
	tail := tail{client: client{server: server.URL}, environment: "p",
		write: func(e web.Event) error { told = append(told, e.Text); return nil },
		say:   func(text string) { said = append(said, text) },
		pause: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }}
	err := tail.follow(t.Context())
	var refused *refusal
	if !errors.As(err, &refused) || refused.code != http.StatusUnauthorized {
		t.Errorf("ended with %v", err)
	}
	if want := []string{"", "1;p=5", "1;p=5", "1;p=6;q=7"}; !slices.Equal(asked, want) {
		t.Errorf("asked from %q, want %q", asked, want)
	}
	if want := []string{"five", "six"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if want := []time.Duration{time.Second, 2 * time.Second, time.Second}; !slices.Equal(waits, want) || len(said) != 3 {
		t.Errorf("waited %v and said %q", waits, said)
	}
}

// Who reads us and leaves ends the tail; what he did not read is not read.
func TestTheTailEndsWithItsReader(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "id: 1;p=5\nevent: happened\ndata: {\"text\":\"five\"}\n\n")
	}))
	defer server.Close()
	tail := tail{client: client{server: server.URL}, write: func(web.Event) error { return fmt.Errorf("write: %w", syscall.EPIPE) },
		say: func(string) {}, pause: func(context.Context, time.Duration) error { return errors.New("it waited") }}
	if err := tail.follow(t.Context()); !errors.Is(err, syscall.EPIPE) || tail.id != "" {
		t.Errorf("%v, read up to %q", err, tail.id)
	}
}

func TestEventsAreLines(t *testing.T) {
	e := web.Event{Environment: "p", At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local), Kind: "drift", Resource: "Function/a", Text: "x <y>\nand z"}
	for form, want := range map[string]string{
		"table": "2026-05-01 12:00:00  p            drift       Function/a x <y>; and z\n",
		"json":  `"text":"x <y>\nand z"`,
		"yaml":  "---\n",
	} {
		var out strings.Builder
		write, err := eventWriter(form)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(&out, e); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) || form != "yaml" && strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: %q", form, out.String())
		}
	}
	if _, err := eventWriter("xml"); err == nil {
		t.Error("an unknown form is taken")
	}
}
