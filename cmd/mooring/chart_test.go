package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// chartPod is what the chart's tests rendered of the daemon's pod.
type chartPod struct {
	Kind string
	Spec struct {
		Template struct {
			Spec struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				SecurityContext               struct {
					RunAsUser int `yaml:"runAsUser"`
				} `yaml:"securityContext"`
				Containers []chartContainer
			}
		}
	}
}

type chartContainer struct {
	Args  []string
	Ports []struct {
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe   chartProbe   `yaml:"startupProbe"`
	LivenessProbe  chartProbe   `yaml:"livenessProbe"`
	ReadinessProbe chartProbe   `yaml:"readinessProbe"`
	VolumeMounts   []chartMount `yaml:"volumeMounts"`
}

type chartMount struct {
	MountPath string `yaml:"mountPath"`
}

type chartProbe struct {
	HTTPGet struct{ Path string } `yaml:"httpGet"`
}

// chartPods are the daemon's pods of every golden render, by set of values.
func chartPods(t *testing.T) map[string]chartPod {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(moduleRoot(t), "testdata", "chart", "golden", "*.yaml"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d golden renders: %v", len(files), err)
	}
	out := map[string]chartPod{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			var p chartPod
			if err := yaml.Unmarshal([]byte(doc), &p); err == nil && p.Kind == "StatefulSet" {
				out[strings.TrimSuffix(filepath.Base(file), ".yaml")] = p
			}
		}
	}
	if len(out) != 5 {
		t.Fatalf("%d of 5 golden renders have a daemon", len(out))
	}
	return out
}

// TestChartSpeaksTheDaemonsFlags: what the chart renders is what this binary
// understands, and where it listens is where Kubernetes asks.
func TestChartSpeaksTheDaemonsFlags(t *testing.T) {
	given := map[string]bool{}
	for set, pod := range chartPods(t) {
		c := pod.Spec.Template.Spec.Containers[0]
		if len(c.Args) == 0 || c.Args[0] != "run" {
			t.Fatalf("%s: the daemon is started with %q", set, c.Args)
		}
		cmd := runCommand()
		if err := cmd.ParseFlags(c.Args[1:]); err != nil || len(cmd.Flags().Args()) > 0 {
			t.Errorf("%s: %v, and left over is %q", set, err, cmd.Flags().Args())
		}
		cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
		_, port, err := net.SplitHostPort(cmd.Flag("listen").Value.String())
		if err != nil || port != strconv.Itoa(c.Ports[0].ContainerPort) {
			t.Errorf("%s: listens on %q (%v), is asked on %d", set, port, err, c.Ports[0].ContainerPort)
		}
		if state := cmd.Flag("state").Value.String(); !slices.ContainsFunc(c.VolumeMounts, func(m chartMount) bool { return m.MountPath == state }) {
			t.Errorf("%s: the state %s is on no volume", set, state)
		}
		for _, probe := range []chartProbe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			if p := probe.HTTPGet.Path; !slices.Contains([]string{"/healthz", "/readyz"}, p) {
				t.Errorf("%s: Kubernetes asks for %q, which is not open", set, p)
			}
		}
	}
	// What a repository, its credentials and its environments need must be
	// within the chart's values.
	runCommand().Flags().VisitAll(func(f *pflag.Flag) {
		elsewhere := []string{"path", "once", "output", "timeout", "insecure-loopback", "cloudwatch-protocol", "emulator", "help"}
		if !given[f.Name] && !slices.Contains(elsewhere, f.Name) {
			t.Errorf("no set of values gives --%s", f.Name)
		}
	})
}

// TestChartLetsTheDaemonStop: nobody is killed while it says farewell.
func TestChartLetsTheDaemonStop(t *testing.T) {
	for set, pod := range chartPods(t) {
		if grace := pod.Spec.Template.Spec.TerminationGracePeriodSeconds; grace < 30 {
			t.Errorf("%s: is killed after %d s", set, grace)
		}
	}
}

func TestOwnToken(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		file := filepath.Join(dir, "own")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	f := runFlags{place: place{state: filepath.Join(dir, "state")}}
	own := func() (string, error) {
		file, err := f.ownToken()
		if err != nil {
			return "", err
		}
		return file.Get()
	}
	made, err := own()
	if again, err2 := own(); err != nil || err2 != nil || len(made) < tokenSize || again != made {
		t.Errorf("the state folder's token is %d characters, then %d: %v %v", len(made), len(again), err, err2)
	}
	f.tokenFile = write("0123456789abcdefghijklmn\n")
	if got, err := own(); err != nil || got != "0123456789abcdefghijklmn" {
		t.Errorf("a file's token: %q, %v", got, err)
	}
	for _, short := range []string{"", "\n", "hunter2"} {
		f.tokenFile = write(short)
		if got, err := own(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the token %q was taken or told: %q, %v", short, got, err)
		}
	}
	f.tokenFile = filepath.Join(dir, "absent")
	if _, err := own(); err == nil {
		t.Error("a file that is absent was taken")
	}
}
