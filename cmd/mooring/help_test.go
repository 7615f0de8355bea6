package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// ours are the commands people see that we wrote: cobra brings some of its own.
func ours(t *testing.T) []*cobra.Command {
	t.Helper()
	var out []*cobra.Command
	for _, c := range everyCommand(rootCommand()) {
		if !strings.HasPrefix(c.CommandPath(), "mooring help") && !strings.HasPrefix(c.CommandPath(), "mooring completion") {
			out = append(out, c)
		}
	}
	if len(out) < 50 {
		t.Fatalf("only %d commands", len(out))
	}
	return out
}

// comment is what stands beside an example; onward is where its output goes.
var (
	comment   = regexp.MustCompile(`\s+# .*$`)
	onward    = regexp.MustCompile(`\s+(\||>|>>|<|&&)\s.*$`)
	shellWord = regexp.MustCompile(`"([^"]*)"|'([^']*)'|(\S+)`)
)

// Every command that does something has an example, and each line of it is one
// that the command takes: flags it has, as many arguments as it wants.
func TestEveryExampleIsTaken(t *testing.T) {
	for _, c := range ours(t) {
		if c.HasSubCommands() {
			continue
		}
		lines := 0
		for line := range strings.Lines(c.Example) {
			line = onward.ReplaceAllString(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""), "")
			var args []string
			for _, m := range shellWord.FindAllStringSubmatch(line, -1) {
				args = append(args, m[1]+m[2]+m[3])
			}
			for len(args) > 0 && strings.Contains(args[0], "=") && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // a variable for the command
			}
			if len(args) == 0 || args[0] != "mooring" {
				continue // something around it
			}
			found, rest, err := rootCommand().Find(args[1:])
			if err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
				continue
			}
			if found.CommandPath() == c.CommandPath() {
				lines++
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
			} else if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
			}
		}
		if lines == 0 {
			t.Errorf("%s has no example of itself", c.CommandPath())
		}
	}
}

// twice finds a word that stands twice, mostly by mistake.
func twice(text string) string {
	words := strings.Fields(text)
	for i := 1; i < len(words); i++ {
		if words[i] == words[i-1] && regexp.MustCompile(`^[a-z]+$`).MatchString(words[i]) {
			return words[i] + " " + words[i]
		}
	}
	return ""
}

// Help reads as the rest does: small letters and no full stop in one line, no
// line too wide for a terminal, no word twice, no flag without a word on it,
// and no name of a command or flag that there is not.
func TestHelpReadsWell(t *testing.T) {
	names := map[string]bool{}
	flags := map[string]bool{"--help": true, "--schema": true} // which is opa's
	for _, c := range everyCommand(rootCommand()) {
		names[c.CommandPath()] = true
		for line := range strings.Lines(c.LocalFlags().FlagUsages()) {
			for _, f := range regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(line, 1) {
				flags[f] = true
			}
		}
	}
	for _, c := range ours(t) {
		path := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || strings.ToLower(c.Short[:1]) != c.Short[:1] {
			t.Errorf("%s: %q", path, c.Short)
		}
		for line := range strings.Lines(c.Long) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 120 {
				t.Errorf("%s: too wide: %q", path, line)
			}
		}
		help := c.Short + "\n" + c.Long + "\n" + c.Flags().FlagUsages()
		if w := twice(help); w != "" {
			t.Errorf("%s says %q", path, w)
		}
		for line := range strings.Lines(c.Flags().FlagUsages()) {
			if len(strings.Fields(line)) < 3 {
				t.Errorf("%s: nothing is said of %q", path, line)
			}
		}
		for _, f := range regexp.MustCompile(`--[a-z][a-z-]*`).FindAllString(help, -1) {
			if !flags[f] {
				t.Errorf("%s names the flag %s, which nobody has", path, f)
			}
		}
		for _, m := range regexp.MustCompile("[`(](mooring [a-z]+)").FindAllStringSubmatch(help+c.Example, -1) {
			if !names[m[1]] {
				t.Errorf("%s names %q, which there is not", path, m[1])
			}
		}
	}
}

// The manual pages are roff without a warning, and have every flag.
func TestManualPages(t *testing.T) {
	needWitness(t, "groff")
	dir := t.TempDir()
	root := rootCommand()
	var said strings.Builder
	root.SetOut(&said)
	root.SetArgs([]string{"man", "--to", dir})
	check(t, root.ExecuteContext(t.Context()))
	pages, err := filepath.Glob(filepath.Join(dir, "mooring*.1"))
	check(t, err)
	if len(pages) < 50 {
		t.Fatalf("%d pages; it said %s", len(pages), said.String())
	}
	out, err := exec.CommandContext(t.Context(), "groff", append([]string{"-man", "-ww", "-Tascii", "-rLL=200n", "-P-cbou"}, pages...)...).CombinedOutput()
	check(t, err)
	text := string(out)
	for _, want := range []string{"--sweep-share", "mooring-policy-test(1)", "mooring hold --environment production Function/checkout", "-w, --watch"} {
		if !strings.Contains(text, want) {
			t.Errorf("the pages lack %q", want)
		}
	}
	if w := regexp.MustCompile(`(?m)^troff:.*`).FindString(text); w != "" {
		t.Error(w)
	}
}
