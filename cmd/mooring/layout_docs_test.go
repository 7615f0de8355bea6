package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// docPages are the pages for users by their paths, README among them.
func docPages(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(moduleRoot(t), "docs", "*.md"))
	check(t, err)
	pages := map[string]string{"README.md": readRoot(t, "README.md")}
	for _, file := range found {
		name := "docs/" + filepath.Base(file)
		pages[name] = readRoot(t, name)
	}
	return pages
}

var (
	fence    = regexp.MustCompile("(?s)```.*?```")
	docLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	inSlug   = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// anchors are what a page's headings can be linked by.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		text := inSlug.ReplaceAllString(strings.ToLower(linkText.ReplaceAllString(h[1], "$1")), "")
		found[strings.ReplaceAll(text, " ", "-")] = true
	}
	return found
}

// TestLayoutOfLinks: what pages link to is there, and README leads to each page.
func TestLayoutOfLinks(t *testing.T) {
	pages, links, linked := docPages(t), 0, map[string]bool{}
	for name, page := range pages {
		for _, link := range docLink.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
			to, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(link[1], "://") {
				continue
			}
			links++
			target := name
			if to != "" {
				target = path.Join(path.Dir(name), to)
			}
			if _, err := os.Stat(filepath.Join(moduleRoot(t), filepath.FromSlash(target))); err != nil {
				t.Errorf("%s: %s leads nowhere", name, link[1])
			} else if text, ok := pages[target]; ok && anchor != "" && !anchors(text)[anchor] {
				t.Errorf("%s: %s: that page has no such heading", name, link[1])
			}
			if name == "README.md" {
				linked[target] = true
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links were looked at", links)
	}
	for name := range pages {
		if name != "README.md" && !linked[name] {
			t.Errorf("README.md does not lead to %s", name)
		}
	}
}

var (
	docCommand = regexp.MustCompile("(?m)(?:^|[`(|] ?|&& |; |MOORING_TOKEN=\\S+ )(mooring [a-z][^`\n|;>&)]*)")
	docFlag    = regexp.MustCompile(`^(--[a-z][a-z-]*)`)
)

// TestLayoutOfCommands: each command of Mooring's that a page shows is one, with
// flags that it has.
func TestLayoutOfCommands(t *testing.T) {
	looked := 0
	for name, page := range docPages(t) {
		page = strings.ReplaceAll(page, "\\\n", " ")
		for _, m := range docCommand.FindAllStringSubmatch(page, -1) {
			words := strings.Fields(m[1])[1:]
			if !commandIs(rootCommand(), words[0]) {
				continue // a sentence about Mooring
			}
			looked++
			cmd, rest, err := rootCommand().Find(words)
			if err != nil || cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && regexp.MustCompile(`^[a-z]+$`).MatchString(rest[0]) {
				t.Errorf("%s: `%s` is no command", name, m[1])
				continue
			}
			for _, word := range words {
				flag := docFlag.FindString(word)
				if flag != "" && cmd.Flag(flag[2:]) == nil && cmd.InheritedFlags().Lookup(flag[2:]) == nil {
					t.Errorf("%s: `%s` has no flag %s", name, cmd.CommandPath(), flag)
				}
			}
		}
	}
	if looked < 200 {
		t.Errorf("only %d commands were looked at", looked)
	}
}

func commandIs(root *cobra.Command, word string) bool {
	for _, c := range root.Commands() {
		if c.Name() == word {
			return true
		}
	}
	return false
}
