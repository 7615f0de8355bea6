package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestProgressIsToldInTime: work that is soon done tells nothing; long work is one
// line of a terminal, and elsewhere a few lines of their own.
func TestProgressIsToldInTime(t *testing.T) {
	began := time.Unix(0, 0)
	calls := ""
	stages := func(p *progress, show func(after float64)) {
		p.set(func() (string, string) { return "reading the repository", "" })
		show(0.5)
		show(1.9)
		show(2)
		show(3.25)
		p.set(func() (string, string) { return "looking at preview", calls })
		calls = "2 calls to AWS, "
		show(3.5)
		show(4)
		calls = "90 calls to AWS, "
		show(9)
		show(18.9)
		show(19)
		p.end()
		show(40)
	}
	of := func(width func() int) string {
		var out bytes.Buffer
		p := &progress{to: &out, width: width, began: began}
		stages(p, func(after float64) { p.show(began.Add(time.Duration(after * float64(time.Second)))) })
		return out.String()
	}

	plain := "reading the repository … 2s\nlooking at preview … 2 calls to AWS, 4s\nlooking at preview … 90 calls to AWS, 19s\n"
	if got := of(nil); got != plain {
		t.Errorf("lines:\n%s\nwant\n%s", got, plain)
	}
	live := []string{
		"reading the repository … 2s", "reading the repository … 3s", "looking at preview … 2 calls to AWS, 3s", "looking at preview … 2 calls to AWS, 4s",
		"looking at preview … 90 calls to AWS, 9s", "looking at preview … 90 calls to AWS, 18s", "looking at preview … 90 calls to AWS, 19s", "",
	}
	if got, want := of(func() int { return 80 }), "\r\x1b[K"+strings.Join(live, "\r\x1b[K"); got != want {
		t.Errorf("on a terminal: %q\nwant %q", got, want)
	}
	if got := of(func() int { return 30 }); !strings.Contains(got, "\x1b[Klooking at preview … 90 call…\r") {
		t.Errorf("on a narrow terminal: %q", got)
	}
	if got := of(func() int { return 0 }); !strings.Contains(got, "90 calls to AWS, 19s") {
		t.Errorf("on a terminal that does not say how wide it is: %q", got)
	}
}

// TestANoticeTakesTheLineOff: what is told besides stands on a line of its own.
func TestANoticeTakesTheLineOff(t *testing.T) {
	var out bytes.Buffer
	p := &progress{to: &out, width: func() int { return 80 }, began: time.Unix(0, 0)}
	p.set(func() (string, string) { return "checking preview", "" })
	p.show(time.Unix(5, 0))
	cmd := rootCommand()
	cmd.SetErr(&out)
	notice(context.WithValue(t.Context(), progressKey{}, p), cmd, "no branch yet")
	if want := "\r\x1b[Kchecking preview … 5s\r\x1b[Kno branch yet\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestLongWorkOfTheProgram: who waits for a repository or an account that does not
// answer is told so on stderr; stdout keeps the result.
func TestLongWorkOfTheProgram(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() { close(over); hangs.Close() })
	folder := t.TempDir()
	pipeline := "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments:\n    - name: preview\n      provider: {aws: {region: eu-west-1}}\n"
	check(t, os.WriteFile(filepath.Join(folder, "mooring.yaml"), []byte(pipeline), 0o644))
	reading, looking := "reading the repository … 2s", `looking at preview … \d+ calls? to AWS, \ds`
	for name, c := range map[string]struct {
		want string
		args []string
	}{
		"plan":     {looking, []string{"plan", "--path", folder, "--environment", "preview"}},
		"drift":    {looking, []string{"drift", "--path", folder, "--environment", "preview"}},
		"input":    {looking, []string{"policy", "input", "--point", "admission", "--path", folder, "--environment", "preview"}},
		"doctor":   {`trying preview … \d+ calls? to AWS, \ds`, []string{"doctor", "--path", folder}},
		"import":   {`reading what lives … \d+ calls? to AWS, \ds`, []string{"import", "--to", filepath.Join(folder, "to"), "--all"}},
		"validate": {reading, []string{"validate", "--repo", hangs.URL + "/shop.git"}},
		"render":   {reading, []string{"render", "--repo", hangs.URL + "/shop.git", "--environment", "preview"}},
		"iam":      {reading, []string{"iam", "--repo", hangs.URL + "/shop.git"}},
		"daemon":   {"the daemon looks at preview … 2s", []string{"plan", "--server", hangs.URL, "--environment", "preview"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, "mooring", c.args...)
			cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+hangs.URL, "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=me", "AWS_SECRET_ACCESS_KEY=any", "AWS_EC2_METADATA_DISABLED=true", "MOORING_TOKEN=any")
			said := &waited{of: regexp.MustCompile(c.want), seen: cancel}
			var out bytes.Buffer
			cmd.Stderr, cmd.Stdout = said, &out
			_ = cmd.Run() // it is killed while it waits
			if !said.of.Match(said.text.Bytes()) || out.Len() > 0 {
				t.Errorf("%v told\n%s\nand on stdout\n%s", c.args, said.text.String(), out.String())
			}
		})
	}
}

// waited is written to until something stands in it.
type waited struct {
	of   *regexp.Regexp
	seen func()
	text bytes.Buffer
}

func (s *waited) Write(p []byte) (int, error) {
	n, err := s.text.Write(p)
	if s.of.Match(s.text.Bytes()) {
		s.seen()
	}
	return n, err
}
