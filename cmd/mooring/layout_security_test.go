package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"mooring.dev/sources/manifest"
)

// securityPage says what is held, by whom, and what the tests show of it.
const securityPage = "docs/security.md"

// marked is what a page has between <!-- name --> and <!-- /name -->.
func marked(t *testing.T, page, name string) string {
	t.Helper()
	_, text, found := strings.Cut(readRoot(t, page), "<!-- "+name+" -->")
	text, _, ends := strings.Cut(text, "<!-- /"+name+" -->")
	if !found || !ends {
		t.Fatalf("%s has no part called %s", page, name)
	}
	return text
}

// TestLayoutOfSecurity: each row of what is held and of who might do harm names
// tests, and what is named is there.
func TestLayoutOfSecurity(t *testing.T) {
	tests := testNames(t)
	for _, part := range []string{"credentials", "threats"} {
		lines := strings.Split(strings.TrimSpace(marked(t, securityPage, part)), "\n")
		if len(lines) < 10 {
			t.Errorf("%s: only %d lines", part, len(lines))
		}
		columns := strings.Count(lines[0], " | ")
		for _, line := range lines[2:] {
			what, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
			if strings.Count(line, " | ") != columns {
				t.Errorf("%s: %s: not as many cells as there are columns", part, what)
			}
			words := lessonWord.FindAllStringSubmatch(line, -1)
			if len(words) == 0 {
				t.Errorf("%s: %s: no test shows it", part, what)
			}
			for _, word := range words {
				if tests[word[1]] == "" {
					t.Errorf("%s: %s: no test is called %s", part, what, word[1])
				}
			}
		}
	}
}

// TestLayoutOfCredentials: each secret that flags and mooring.yaml can name, and
// each file of the state folder, stands among what is held.
func TestLayoutOfCredentials(t *testing.T) {
	table := marked(t, securityPage, "credentials")
	named := 0
	want := func(what string) {
		named++
		if !strings.Contains(table, "`"+what+"`") && !strings.Contains(table, "`"+what+"/`") {
			t.Errorf("`%s` does not stand among what Mooring holds", what)
		}
	}
	runCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if (strings.Contains(f.Usage, "file") || strings.Contains(f.Usage, "PEM")) && f.Name != "artifacts" {
			want("--" + f.Name)
		}
	})
	for _, part := range []reflect.Type{reflect.TypeFor[manifest.Host](), reflect.TypeFor[manifest.Receiver](), reflect.TypeFor[manifest.Check](), reflect.TypeFor[manifest.Rollout](), reflect.TypeFor[manifest.Identity]()} {
		paths := secretFields(part)
		if len(paths) == 0 {
			t.Errorf("%v has no secret", part)
		}
		for _, path := range paths {
			want(path)
		}
	}
	_, keeps, _ := strings.Cut(readRoot(t, "docs/operations.md"), "\n## What it keeps\n")
	keeps, _, _ = strings.Cut(keeps, "\n## ")
	kept := regexp.MustCompile("(?m)^\\| `([a-z.-]+)/?` \\|").FindAllStringSubmatch(keeps, -1)
	for _, row := range kept {
		want(row[1])
	}
	for _, name := range append(stateFiles(t), tokensFile) {
		want(name)
		if !slices.ContainsFunc(kept, func(row []string) bool { return row[1] == name }) {
			t.Errorf("docs/operations.md does not say what %s in the state folder is", name)
		}
	}
	if named < 35 {
		t.Errorf("only %d secrets were looked for", named)
	}
}

// secretFields are the members that hold secrets below a part of mooring.yaml,
// by the last two names on the way to them.
func secretFields(root reflect.Type) []string {
	secret, found := reflect.TypeFor[manifest.Secret](), map[string]bool{}
	var walk func(at reflect.Type, path []string)
	walk = func(at reflect.Type, path []string) {
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(at.Elem(), path)
		case reflect.Struct:
			if at == secret {
				found[strings.Join(path[max(0, len(path)-2):], ".")] = true
				return
			}
			for i := range at.NumField() {
				name, _, _ := strings.Cut(at.Field(i).Tag.Get("json"), ",")
				switch {
				case at.Field(i).Anonymous:
					walk(at.Field(i).Type, path)
				case name != "" && name != "-":
					walk(at.Field(i).Type, append(slices.Clone(path), name))
				}
			}
		}
	}
	walk(root, nil)
	return sortedSet(found)
}

// stateFiles are what the program puts into the state folder, by its source.
func stateFiles(t *testing.T) []string {
	t.Helper()
	inState := regexp.MustCompile(`filepath\.Join\([A-Za-z.]*state, "([^"]+)"`)
	found := map[string]bool{}
	paths, err := filepath.Glob(filepath.Join(moduleRoot(t), "cmd", "mooring", "*.go"))
	check(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		check(t, err)
		for _, name := range inState.FindAllStringSubmatch(string(text), -1) {
			found[name[1]] = true
		}
	}
	return sortedSet(found)
}
