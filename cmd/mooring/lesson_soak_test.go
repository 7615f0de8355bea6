package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"mooring.dev/providers/aws/sandbox"
)

var soakFor = flag.Duration("soak", 8*time.Second, "how long TestLesson83SoakWithFaults lasts; from ten minutes on it judges the slope of memory (make soak)")

// footprint is what a process has at one moment.
type footprint struct {
	at              time.Duration
	resident        float64 // MiB
	routines, files int
}

// soakFaults are what befalls the daemon's calls all the time.
var soakFaults = []sandbox.Rule{
	{Actor: "mooring", Probability: 0.1, Effect: sandbox.Effect{Throttle: true}},
	{Actor: "mooring", Probability: 0.03, Effect: sandbox.Effect{Status: 500, Code: "ServiceException"}},
	{Actor: "mooring", Probability: 0.03, Effect: sandbox.Effect{FailAfter: true}},
	{Actor: "mooring", Probability: 0.02, Effect: sandbox.Effect{Drop: true}},
	{Actor: "mooring", Probability: 0.02, Effect: sandbox.Effect{Latency: 2 * time.Second}},
}

// TestLesson83SoakWithFaults runs the real program while calls fail, people change
// things by hand and commits arrive; afterwards everything is as declared, and it
// has as many goroutines and files open as at first. How its memory grows takes
// longer to see than CI has: -soak=30m.
func TestLesson83SoakWithFaults(t *testing.T) {
	if *soakFor < time.Minute {
		t.Parallel()
	}
	s := newKillStage(t)
	s.write("token", soakToken)
	s.flags = []string{"--token-file", s.path("token")}
	s.begin()
	s.await(s.head())
	began, rng := time.Now(), rand.New(rand.NewPCG(83, 0))
	first := s.least(began)
	samples := []footprint{first}
	for _, f := range soakFaults {
		if _, err := s.box.Faults.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	hand := lambda.NewFromConfig(awssdk.Config{Region: "eu-west-1", BaseEndpoint: awssdk.String(s.box.URL()), Credentials: credentials.NewStaticCredentialsProvider("alice", "any", "")})
	every := max(2*time.Second, min(20*time.Second, *soakFor/60))
	for n := 0; time.Since(began) < *soakFor; n++ {
		if n%3 == 2 {
			s.amendMemory(256 + 64*rng.IntN(8))
			s.push(fmt.Sprintf("memory, %d", n))
		} else {
			s.meddle(hand, fmt.Sprintf("LEVEL_%d", n)) // the same again and again would be a fight, and held
		}
		time.Sleep(every)
		samples = append(samples, s.footprint(began))
		if *soakFor >= 10*time.Minute && n%10 == 9 { // ten looks a sixth of the time
			s.heap(fmt.Sprintf("heap-%02d", n/10))
		}
	}
	s.box.Faults.Clear()
	s.await(s.head())
	t.Logf("at first %+v, in the end %+v, of %d looks", first, s.quiet(began, first), len(samples))
	if *soakFor < 10*time.Minute {
		return
	}
	third := len(samples) / 3
	early, late := samples[third:2*third], samples[2*third:]
	slope := (middle(late) - middle(early)) / (late[len(late)/2].at - early[len(early)/2].at).Hours()
	t.Logf("%.1f MiB in the second third, %.1f in the last: %.2f MiB an hour", middle(early), middle(late), slope)
	if budget := max(1, 2/late[len(late)-1].at.Hours()); slope > budget { // looks differ by more than a MiB
		t.Errorf("memory grows by %.2f MiB an hour, more than %.2f", slope, budget)
	}
}

// soakToken is the daemon's own: profiles are given for a token alone.
const soakToken = "the-token-of-the-soak-and-of-nothing-else"

// heap keeps what lives in the daemon's memory among the test's artifacts (go
// test -artifacts), for go tool pprof -base to say what grew.
func (s *killStage) heap(name string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.listen+"/debug/pprof/heap", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+soakToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	profile, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, profile)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(s.t.ArtifactDir(), name+".pprof"), profile, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// least is what the daemon has between its passes.
func (s *killStage) least(began time.Time) footprint {
	s.t.Helper()
	out := s.footprint(began)
	for range 10 {
		time.Sleep(200 * time.Millisecond)
		now := s.footprint(began)
		out.routines, out.files = min(out.routines, now.routines), min(out.files, now.files)
	}
	return out
}

// quiet waits until the daemon has no more than it had, give or take a few
// connections that are kept for a while.
func (s *killStage) quiet(began time.Time, first footprint) footprint {
	s.t.Helper()
	const kept = 3 // two goroutines each
	var now footprint
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if now = s.footprint(began); now.routines <= first.routines+2*kept && now.files <= first.files+2*kept {
			return now
		}
	}
	s.t.Errorf("it had %+v at first, and has %+v", first, now)
	return now
}

func middle(samples []footprint) float64 {
	sizes := make([]float64, len(samples))
	for i, f := range samples {
		sizes[i] = f.resident
	}
	slices.Sort(sizes)
	return sizes[len(sizes)/2]
}

// footprint looks at the daemon from outside, and asks it for its goroutines.
func (s *killStage) footprint(began time.Time) footprint {
	s.t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(s.daemon.Process.Pid))
	files, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		s.t.Fatal(err)
	}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return footprint{time.Since(began), kib / 1024, s.goroutines(), len(files)}
}

func (s *killStage) goroutines() int {
	s.t.Helper()
	resp, err := http.Get("http://" + s.listen + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if n, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			routines, err := strconv.Atoi(n)
			if err != nil {
				s.t.Fatal(err)
			}
			return routines
		}
	}
	s.t.Fatal("the metrics do not tell of goroutines")
	return 0
}

func (s *killStage) amendMemory(size int) {
	s.t.Helper()
	text, err := os.ReadFile(s.path("shop/functions/checkout.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "  memorySize:") {
			line = fmt.Sprintf("  memorySize: %d # %d\n", size, time.Now().UnixNano())
		}
		out.WriteString(line)
	}
	s.write("shop/functions/checkout.yaml", out.String())
}

// meddle adds a variable as somebody else; that a write of ours comes between
// is part of it.
func (s *killStage) meddle(hand *lambda.Client, variable string) {
	s.t.Helper()
	ctx := context.Background()
	name := awssdk.String("preview-catalog")
	got, err := hand.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name})
	if err != nil {
		s.t.Fatal(err)
	}
	variables := map[string]string{}
	if got.Environment != nil {
		for k, v := range got.Environment.Variables {
			variables[k] = v
		}
	}
	variables[variable] = "by hand"
	if _, err := hand.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Environment: &types.Environment{Variables: variables}}); err != nil && !strings.Contains(err.Error(), "ResourceConflict") {
		s.t.Fatal(err)
	}
}
