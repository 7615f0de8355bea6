package main

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// instructions of a Dockerfile, with continued lines joined.
func instructions(t *testing.T) [][2]string {
	t.Helper()
	text := strings.ReplaceAll(readRoot(t, "Dockerfile"), "\\\n", " ")
	var out [][2]string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			word, rest, _ := strings.Cut(line, " ")
			out = append(out, [2]string{word, strings.TrimSpace(rest)})
		}
	}
	return out
}

func readRoot(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLesson81Dockerfile: the image is built as `make build` builds, from a compiler
// of go.mod's version, has nothing in it but the program and what it needs,
// and runs as the user, with the folder and on the port that the chart has.
func TestLesson81Dockerfile(t *testing.T) {
	var stage int
	var base, user, volume, port, entry string
	var built bool
	binary := regexp.MustCompile(`(?m)^BIN\s*:=\s*(\S+)`).FindStringSubmatch(readRoot(t, "Makefile"))
	if binary == nil {
		t.Fatal("the Makefile does not say what it builds")
	}
	copied := map[string]string{}
	for _, in := range instructions(t) {
		switch in[0] {
		case "FROM":
			stage, base = stage+1, in[1]
			if stage == 1 {
				checkCompiler(t, base)
			}
		case "COPY":
			if stage == 1 {
				checkContext(t, strings.Fields(in[1]))
				continue
			}
			f := strings.Fields(in[1])
			if f[0] != "--from=build" || len(f) != 3 {
				t.Errorf("COPY %s: the image takes from its build alone", in[1])
				continue
			}
			copied[f[2]] = f[1]
		case "RUN":
			built = built || strings.HasPrefix(in[1], "make build ")
			if stage != 1 {
				t.Errorf("RUN %s: the image has no shell to run it", in[1])
			}
		case "USER":
			user = in[1]
		case "VOLUME":
			volume = in[1]
		case "EXPOSE":
			port = in[1]
		case "ENTRYPOINT":
			entry = strings.Trim(in[1], `["]`)
		case "ENV":
			if strings.Contains(in[1], "MOORING_") && !strings.Contains(in[1], "MOORING_STATE=/var/lib/mooring") {
				t.Errorf("ENV %s: says something else of the state", in[1])
			}
		}
	}
	if stage != 2 || base != "scratch" || !built {
		t.Errorf("%d stages, the last from %q, built by make: %v", stage, base, built)
	}
	if copied[entry] != "/src/"+binary[1] || !strings.HasPrefix(copied["/etc/ssl/certs/ca-certificates.crt"], "/etc/ssl/certs/") {
		t.Errorf("the image holds %v and starts %q", copied, entry)
	}
	pod := chartPods(t)["default"].Spec.Template.Spec
	if id := strconv.Itoa(pod.SecurityContext.RunAsUser); user != id+":"+id {
		t.Errorf("runs as %q, and as %s in Kubernetes", user, id)
	}
	if c := pod.Containers[0]; strconv.Itoa(c.Ports[0].ContainerPort) != port || !slices.Contains(c.VolumeMounts, chartMount{volume}) {
		t.Errorf("keeps its state in %q and listens on %q; the chart has %v and %v", volume, port, c.VolumeMounts, c.Ports)
	}
}

// checkCompiler holds the build's image against go.mod.
func checkCompiler(t *testing.T, base string) {
	t.Helper()
	wants := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readRoot(t, "go.mod"))
	if !strings.HasPrefix(base, "golang:"+wants[1]) || !strings.HasSuffix(base, " AS build") {
		t.Errorf("FROM %s: go.mod wants Go %s", base, wants[1])
	}
}

// checkContext: what is copied into the build is there, and not ignored.
func checkContext(t *testing.T, words []string) {
	t.Helper()
	ignored := strings.Fields(readRoot(t, ".dockerignore"))
	for _, name := range words[:len(words)-1] {
		if _, err := os.Stat(filepath.Join(moduleRoot(t), name)); err != nil || slices.Contains(ignored, name) {
			t.Errorf("COPY %s: %v, ignored: %v", name, err, slices.Contains(ignored, name))
		}
	}
	for _, name := range ignored {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", "{{.Dir}}", filepath.Join(moduleRoot(t), name)+"/...").Output()
		if err == nil && strings.TrimSpace(string(out)) != "" {
			t.Errorf("%s is kept from the build, and has packages of it:\n%s", name, out)
		}
	}
}

// TestStaticBinary: what the image holds needs no loader and no library.
func TestStaticBinary(t *testing.T) {
	f, err := elf.Open(program(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil || len(libraries) > 0 {
		t.Errorf("needs the libraries %v: %v", libraries, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("needs a loader, which the image has not")
		}
	}
}

// unit reads a unit's settings; of a key given twice both values.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for in := bufio.NewScanner(strings.NewReader(readRoot(t, "docs/mooring.service"))); in.Scan(); {
		if key, value, ok := strings.Cut(in.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			out[key] = append(out[key], value)
		}
	}
	return out
}

// TestUnit: systemd starts what there is, hears what the daemon tells, and
// gives it the time it takes to stop.
func TestUnit(t *testing.T) {
	u := unit(t)
	for key, want := range map[string]string{"Type": "notify", "DynamicUser": "yes", "StateDirectory": "mooring", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "", "ExecReload": "/bin/kill -HUP $MAINPID"} {
		if got := u[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s=%v, want %q", key, got, want)
		}
	}
	words := strings.Fields(u["ExecStart"][0])
	parses(t, "mooring "+strings.Join(words[1:], " "))
	if !slices.Contains(words, "/var/lib/"+u["StateDirectory"][0]) {
		t.Errorf("ExecStart=%v keeps its state elsewhere than in StateDirectory", words)
	}
	for key, least := range map[string]int{"TimeoutStopSec": 30, "WatchdogSec": 30} {
		if n, err := strconv.Atoi(u[key][0]); err != nil || n < least {
			t.Errorf("%s=%v, want %d or more", key, u[key], least)
		}
	}
	if !strings.Contains(u["RestrictAddressFamilies"][0], "AF_UNIX") {
		t.Error("the daemon cannot reach systemd's socket")
	}
}

// TestUnitVerified asks systemd itself.
func TestUnitVerified(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not on this machine: TestUnit alone read the unit")
	}
	text := strings.NewReplacer("/usr/local/bin/mooring", "/bin/true", "EnvironmentFile=", "EnvironmentFile=-").Replace(readRoot(t, "docs/mooring.service"))
	file := filepath.Join(t.TempDir(), "mooring.service")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// parses reads a command line as the program would.
func parses(t *testing.T, line string) {
	t.Helper()
	cmd, rest, err := rootCommand().Find(strings.Fields(line)[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

// TestInstallPage: every line of docs/install.md that can be tried without a
// machine of its own is: commands by their flags, files by their places,
// environment by the flags it stands for, values by the chart's.
func TestInstallPage(t *testing.T) {
	page := readRoot(t, "docs/install.md")
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(page, -1)
	tried := map[string]int{}
	for _, b := range blocks {
		switch b[1] {
		case "yaml":
			tried["values"]++
			checkValues(t, b[2])
		default:
			for line := range strings.SplitSeq(b[2], "\n") {
				if strings.HasPrefix(line, "mooring ") {
					tried["commands"]++
					parses(t, line)
				}
				for _, m := range regexp.MustCompile(`\bMOORING_[A-Z_]+`).FindAllString(line, -1) {
					tried["environment"]++
					checkVariable(t, m)
				}
				for _, m := range regexp.MustCompile(`(?:^|\s)((?:docs|charts)/\S+)`).FindAllStringSubmatch(line, -1) {
					tried["files"]++
					readable(t, m[1])
				}
			}
		}
	}
	for _, m := range regexp.MustCompile("`(charts/[^`]+|docs/[^`]+)`").FindAllStringSubmatch(page, -1) {
		readable(t, m[1])
	}
	for what, least := range map[string]int{"values": 1, "commands": 1, "environment": 4, "files": 2} {
		if tried[what] < least {
			t.Errorf("only %d %s were tried", tried[what], what)
		}
	}
	alerts := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(readRoot(t, "charts/mooring/alerts/mooring.yaml"), -1)
	for _, a := range alerts {
		if !strings.Contains(page, fmt.Sprintf("`%s`", a[1])) {
			t.Errorf("the page does not tell what %s means", a[1])
		}
	}
}

func readable(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(moduleRoot(t), name)); err != nil {
		t.Error(err)
	}
}

// checkVariable: a flag of run is meant, or what run reads besides.
func checkVariable(t *testing.T, name string) {
	t.Helper()
	flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "MOORING_"), "_", "-"))
	if runCommand().Flag(flag) == nil && name != "MOORING_GIT_TOKEN" {
		t.Errorf("%s stands for no flag of run", name)
	}
}

// checkValues: every key is one of the chart's.
func checkValues(t *testing.T, text string) {
	t.Helper()
	var known, given map[string]any
	if err := yaml.Unmarshal([]byte(readRoot(t, "charts/mooring/values.yaml")), &known); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(text), &given); err != nil {
		t.Fatal(err)
	}
	var check func(at string, given, known map[string]any)
	check = func(at string, given, known map[string]any) {
		for key, value := range given {
			if _, ok := known[key]; !ok {
				t.Errorf("the chart has no value %s%s", at, key)
			}
			if inner, ok := value.(map[string]any); ok {
				of, _ := known[key].(map[string]any)
				check(at+key+".", inner, of)
			}
		}
	}
	check("", given, known)
}
