package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"mooring.dev/reconciler/web"
)

func eventsCommand() *cobra.Command {
	var t tail
	var since string
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "what happened, oldest first, and with --follow what happens",
		Long: `Each event is a line; with -o json each is a JSON object on a line of its own.
With --follow it goes on until interrupted, or until nobody reads it any more. A
daemon that goes away is asked again, and tells what was missed meanwhile.`,
		Example: `  mooring events --since 2h
  mooring events --follow --environment production
  mooring events --follow -o json | jq -r 'select(.kind == "drift") | .text'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, err := eventWriter(t.output)
			if err != nil {
				return err
			}
			if since != "" {
				if t.since, err = sinceTime(since, time.Now()); err != nil {
					return err
				}
			}
			// Whoever reads us may leave: that ends us, and is no failure.
			signal.Ignore(syscall.SIGPIPE)
			t.write = func(e web.Event) error { return write(cmd.OutOrStdout(), e) }
			t.say = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "mooring:", text) }
			t.pause = pauseFor
			err = t.run(cmd.Context(), follow)
			if errors.Is(err, syscall.EPIPE) || cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVarP(&t.output, "output", "o", "table", "table (lines), json (a line each) or yaml (documents)")
	cmd.Flags().StringVar(&t.environment, "environment", "", "only this environment")
	cmd.Flags().StringVar(&since, "since", "", "how far back (2h, 7d), or since when (2026-11-23T18:00:00Z); default: all that is kept, with --follow from now on")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on telling what happens, until interrupted")
	return cmd
}

// eventWriter writes one event in a form.
func eventWriter(form string) (func(io.Writer, web.Event) error, error) {
	switch form {
	case "table", "":
		return func(w io.Writer, e web.Event) error {
			_, err := fmt.Fprintf(w, "%s  %-12s %-11s %s\n", e.At.Local().Format("2006-01-02 15:04:05"), orDash(e.Environment), e.Kind, inOneLine(strings.TrimSpace(e.Resource+" "+e.Text)))
			return err
		}, nil
	case "json":
		return func(w io.Writer, e web.Event) error {
			enc := json.NewEncoder(w)
			enc.SetEscapeHTML(false)
			return enc.Encode(e)
		}, nil
	case "yaml":
		return func(w io.Writer, e web.Event) error {
			text, err := json.Marshal(e)
			if err != nil {
				return err
			}
			var plain any
			if err := json.Unmarshal(text, &plain); err != nil {
				return err
			}
			if text, err = yaml.Marshal(plain); err != nil {
				return err
			}
			_, err = fmt.Fprintf(w, "---\n%s", text)
			return err
		}, nil
	}
	return nil, fmt.Errorf("-o %q: want table, json or yaml", form)
}

// orDash keeps a column that may be empty.
func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

const (
	// tailQuiet is how long a daemon may say nothing at all: it shows every
	// twenty seconds that it is there.
	tailQuiet = time.Minute
	// tailPause is the first wait before a daemon that went away is asked again;
	// each further one is twice as long, up to tailPauseMost.
	tailPause, tailPauseMost = time.Second, 30 * time.Second
)

// tail reads the news of a daemon.
type tail struct {
	client
	environment string
	output      string
	since       time.Time
	write       func(web.Event) error
	say         func(text string) // to the person who waits
	pause       func(context.Context, time.Duration) error

	id string // of the last message, to take up from
}

// pauseFor waits, unless it is interrupted.
func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (t *tail) run(ctx context.Context, follow bool) error {
	limit := "1000"
	if follow {
		limit = "1" // only whether there is such an environment
	}
	var past []web.Event
	if err := t.get(ctx, "/api/v1/history?"+url.Values{"environment": {t.environment}, "limit": {limit}}.Encode(), &past); err != nil {
		return err
	}
	if follow {
		return t.follow(ctx)
	}
	for _, e := range slices.Backward(past) {
		if err := t.tell(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *tail) tell(e web.Event) error {
	if e.At.Before(t.since) || t.environment != "" && e.Environment != t.environment {
		return nil
	}
	return t.write(e)
}

// follow tells what happens. It ends when nobody listens, when it is
// interrupted, and when the daemon does not want to be asked.
func (t *tail) follow(ctx context.Context) error {
	if !t.since.IsZero() {
		t.id = web.Cursor{}.String()
	}
	wait := tailPause
	for {
		heard, err := t.listen(ctx)
		var refused *refusal
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, syscall.EPIPE):
			return err
		case errors.As(err, &refused) && refused.code < http.StatusInternalServerError && refused.code != http.StatusTooManyRequests:
			return err
		}
		if heard {
			wait = tailPause
		}
		t.say(fmt.Sprintf("the daemon went away (%v); asked again in %s", err, wait))
		if err := t.pause(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, tailPauseMost)
	}
}

var errQuiet = errors.New("it says nothing any more")

// listen reads one connection to its end. heard: the daemon said something.
func (t *tail) listen(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(tailQuiet, func() { cancel(errQuiet) })
	defer quiet.Stop()
	req, err := t.request(ctx, http.MethodGet, "/api/v1/events", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Last-Event-ID", t.id)
	resp, err := t.send(req, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return false, answer(resp, nil)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	var m message
	for lines.Scan() {
		heard = true
		quiet.Reset(tailQuiet)
		if !m.line(lines.Text()) {
			continue
		}
		if err := t.hear(m); err != nil {
			return true, err
		}
		m = message{}
	}
	if ctx.Err() != nil {
		return heard, context.Cause(ctx)
	}
	if err := lines.Err(); err != nil {
		return heard, err
	}
	return heard, io.EOF
}

// hear takes one message in. Its id counts once it is told, not before.
func (t *tail) hear(m message) error {
	if m.event == "happened" {
		var e web.Event
		if err := json.Unmarshal([]byte(m.data), &e); err != nil {
			return fmt.Errorf("read the daemon's news: %w", err)
		}
		if err := t.tell(e); err != nil {
			return err
		}
	}
	if m.id != "" {
		t.id = m.id
	}
	return nil
}

// message is one of a stream of server-sent events.
type message struct {
	id, event, data string
}

// line takes in a line of the stream; true at the end of a message.
func (m *message) line(text string) bool {
	field, value, _ := strings.Cut(text, ":")
	value = strings.TrimPrefix(value, " ")
	switch {
	case text == "":
		return true
	case field == "id":
		m.id = value
	case field == "event":
		m.event = value
	case field == "data" && m.data == "":
		m.data = value
	case field == "data":
		m.data += "\n" + value
	}
	return false
}
