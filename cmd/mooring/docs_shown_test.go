package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// played are the pages whose sh blocks a test runs, by the test.
var played = map[string]string{
	"README.md": "TestReadmeTour", "tutorial.md": "TestTutorial", "first-week.md": "TestFirstWeek", "incidents.md": "TestIncidents", "api.md": "TestAPIPage",
	"policy.md": "TestPolicyTour", "import.md": "TestImportDocs", "evidence.md": "TestEvidenceGuide", "signatures.md": "TestSignaturesGuide",
	"hosts.md": "cmdPostHook", "security.md": "TestSecurityCommands",
}

// shownOnly are blocks that are no sh, yaml or rego (of which every one is run,
// decoded or compiled), by their first words: with the test that runs or makes
// them, or with why nobody can run them as they stand.
var shownOnly = []struct{ page, begins, by, why string }{
	{"README.md", "make demo AUTO=1", "", ".ci/test, which the second command is, plays the demo's acts and runs this"},
	{"README.md", "make demo DEMO_FLAGS", "TestReadmeTour", ""},
	{"README.md", "mooring validate --repo https", "", "a host and an account that do not exist; the flags are parsed"},
	{"README.md", "mooring import", "", "an account of the reader's; docs/import.md plays the same on the sandbox"},
	{"README.md", "mooring iam", "TestReadmeRights", ""},
	{"incidents.md", "mooring token create ann", "", "names a commit of the reader's; policychange.txtar plays it"},
	{"install.md", "make build", "", "installs into the machine; TestInstallPage parses it, TestStaticBinary builds"},
	{"install.md", "mooring run --repo https", "", "a host that does not exist; tls.txtar plays it on loopback"},
	{"install.md", "MOORING_REPO=", "TestInstallPage", ""},
	{"install.md", "chmod 0600", "", "installs into the machine; TestUnitVerified asks systemd about the unit"},
	{"install.md", "systemd-run", "", "needs a systemd that runs; the flags are the doctor's"},
	{"install.md", "[Service]", "TestInstallPage", ""},
	{"install.md", "docker build", "", "needs Docker and its network; TestLesson81Dockerfile reads the file"},
	{"install.md", "helm install", "", "needs a cluster; the chart's own module renders it and holds every object against Kubernetes' types"},
	{"operations.md", "mooring journal backup", "TestBackupOfTheDocs", ""},
	{"operations.md", "mooring journal restore", "TestBackupOfTheDocs", ""},
	{"operations.md", "mooring journal export", "TestBackupOfTheDocs", ""},
	{"operations.md", "mooring run --repo https", "", "a host that does not exist; the flags are parsed"},
	{"operations.md", "systemctl reload", "", "needs a systemd that runs; TestReloadOfTheProgram sends the signal"},
	{"operations.md", "mooring completion", "", "writes into the reader's home; completion.txtar prints the same"},
	{"operations.md", "fault    hint-rule", "", "an answer; doctor_remedies.txtar gets it"},
	{"operations.md", "OTEL_EXPORTER_OTLP_ENDPOINT", "", "a collector that does not exist; traces_test.go has one"},
	{"operations.md", "curl -H", "", "takes the reader's daemon for twenty seconds; the route is tried in reconciler/web"},
	{"security.md", "mooring audit", "", "needs a daemon with refusals; TestFirstWeek asks one for what was done"},
	{"policy.md", "mooring policy capabilities", "", "needs OPA's own program; that the exported files are whole is tested in policy.txtar"},
	{"policy.md", "", "TestPolicyDocs", ""},
}

// TestWhatIsShownIsPlayed: no page shows a block that nobody runs, unless the
// table says why. The list of those is logged.
func TestWhatIsShownIsPlayed(t *testing.T) {
	root := moduleRoot(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	check(t, err)
	fence := regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```")
	used := map[int]bool{}
	for _, path := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(path)
		check(t, err)
		page := filepath.Base(path)
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			switch m[1] {
			case "yaml", "rego": // TestDocsYAML, TestDocsRego
			case "sh":
				if played[page] == "" {
					t.Errorf("%s shows commands that no test runs:\n%s", page, m[2])
				}
			default:
				if i := shownAs(page, m[2]); i < 0 {
					t.Errorf("%s: nobody runs this block, and shownOnly does not say why:\n%s", page, m[2])
				} else {
					used[i] = true
				}
			}
		}
	}
	tests := readTests(t)
	for page, by := range played {
		if !strings.Contains(tests, "func "+by+"(") {
			t.Errorf("%s: there is no %s", page, by)
		}
	}
	for i, s := range shownOnly {
		switch {
		case !used[i]:
			t.Errorf("%s shows no %q any more", s.page, s.begins)
		case (s.by == "") == (s.why == "") || s.by != "" && !strings.Contains(tests, "func "+s.by+"("):
			t.Errorf("%s, %q: by %q, or because %q", s.page, s.begins, s.by, s.why)
		case s.why != "":
			t.Logf("not run: %s, %s…: %s", s.page, s.begins, s.why)
		}
	}
}

// shownAs finds a block in the table, -1 where it is not.
func shownAs(page, block string) int {
	for i, s := range shownOnly {
		if s.page == page && strings.HasPrefix(strings.TrimSpace(block), s.begins) {
			return i
		}
	}
	return -1
}

// readTests is the text of this package's tests.
func readTests(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	check(t, err)
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		check(t, err)
		all.Write(text)
	}
	return all.String()
}

// TestSecurityCommands runs what docs/security.md shows.
func TestSecurityCommands(t *testing.T) {
	t.Parallel()
	playDoc(t, "security.md")
}
