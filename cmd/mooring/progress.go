package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/providers/aws/quota"
)

const (
	quiet       = 2 * time.Second        // work that is done sooner tells nothing
	redrawn     = 250 * time.Millisecond // how often the line of a terminal is drawn
	repeated    = 15 * time.Second       // how often one thing that goes on is a plain line again
	clearToEnd  = "\r\x1b[K"
	lineAtLeast = 20 // characters of a terminal below which nothing is cut
)

// progress tells on stderr what long work is at: one line that is written over on
// a terminal, elsewhere plain lines, few of them. What it tells is no result:
// stdout has that.
type progress struct {
	to    io.Writer
	width func() int // of the terminal; nil where there is none
	began time.Time

	mu    sync.Mutex
	doing doing
	said  string    // what the plain line that was written last is about
	at    time.Time // when that was
	drawn bool      // a line stands on the terminal
}

// doing is what work is at, and how far it is there ("" where nobody can tell). It
// is asked again and again.
type doing func() (what, far string)

// show writes what there is to tell at a time.
func (p *progress) show(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := now.Sub(p.began)
	if since < quiet || p.doing == nil {
		return
	}
	what, far := p.doing()
	line := fmt.Sprintf("%s … %s%s", what, far, since.Truncate(time.Second))
	switch {
	case p.width != nil:
		if most := p.width() - 1; most >= lineAtLeast && visible(line) > most {
			line = string([]rune(line)[:most-1]) + "…"
		}
		fmt.Fprint(p.to, clearToEnd+line)
		p.drawn = true
	case p.said != what && now.Sub(p.at) >= quiet, now.Sub(p.at) >= repeated:
		fmt.Fprintln(p.to, line)
		p.said, p.at = what, now
	}
}

// end tells no more, and leaves nothing on a terminal.
func (p *progress) end() {
	p.set(nil)
	p.clear()
}

func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.to, clearToEnd)
		p.drawn = false
	}
}

func (p *progress) set(d doing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = d
}

type progressKey struct{}

// atWork is the context of work that may take long, and what ends its telling,
// which has to come before the result is written. It may be called again.
func atWork(cmd *cobra.Command) (context.Context, func()) {
	p := &progress{to: cmd.ErrOrStderr(), began: time.Now()}
	if isTerminal(os.Stderr) && os.Getenv("TERM") != "dumb" {
		p.width = func() int { width, _ := terminalSize(os.Stderr); return width }
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(redrawn)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				p.end()
				return
			case now := <-tick.C:
				p.show(now)
			}
		}
	}()
	var once sync.Once
	return context.WithValue(cmd.Context(), progressKey{}, p), func() {
		once.Do(func() { close(stop) })
		<-ended
	}
}

// notice is a line on stderr of its own, beside what is told of the work of ctx.
func notice(ctx context.Context, cmd *cobra.Command, text string) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.clear()
	}
	fmt.Fprintln(cmd.ErrOrStderr(), text)
}

// tell says what the work of ctx is at now; nobody hears it where atWork did not
// begin it.
func tell(ctx context.Context, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	tellHow(ctx, func() (string, string) { return text, "" })
}

// tellHow is tell of what gets further meanwhile.
func tellHow(ctx context.Context, d doing) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.set(d)
	}
}

// tellCalls says before until the platform was called, and then how often it was.
func tellCalls(ctx context.Context, before, what string, made *quota.Model) {
	tellHow(ctx, func() (string, string) {
		var n int64
		for _, use := range made.Lanes() {
			n += use.Calls
		}
		if n == 0 {
			return before, ""
		}
		return what, counted(n, "call") + " to AWS, "
	})
}
