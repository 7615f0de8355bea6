package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lessonsPage is the list of faults that the tests are held against.
const lessonsPage = "docs/faults.md"

// lessons is how many lines the list has.
const lessons = 83

var (
	lessonRow  = regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]+) \| ([^|]+) \|$`)
	lessonWord = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)`")
	lessonName = regexp.MustCompile(`^(?:Test|Fuzz|Benchmark)Lesson(\d\d)[A-Z]`)
	lessonLack = regexp.MustCompile(`not (?:yet|here)\b`)
)

// TestLayoutOfLessons: each line of the list has a test that carries its
// number, or says that there is none yet; what it names is there; and each test
// with a number stands in its line.
func TestLayoutOfLessons(t *testing.T) {
	tests := testNames(t)
	shown := map[string]int{}
	rows := lessonRow.FindAllStringSubmatch(readRoot(t, lessonsPage), -1)
	if len(rows) != lessons {
		t.Errorf("%s has %d lines, want %d", lessonsPage, len(rows), lessons)
	}
	for i, row := range rows {
		number, err := strconv.Atoi(row[1])
		if err != nil || number != i+1 {
			t.Errorf("line %s stands at place %d", row[1], i+1)
		}
		own := false
		for _, word := range lessonWord.FindAllStringSubmatch(row[3], -1) {
			name := word[1]
			if tests[name] == "" {
				t.Errorf("line %d: no test is called %s", number, name)
			}
			if lessonOf(name) == number {
				own, shown[name] = true, number
			}
		}
		if !own && !lessonLack.MatchString(row[3]) {
			t.Errorf("line %d: has no test of its number, and does not say `not yet: …` why", number)
		}
	}
	for name, file := range tests {
		if number := lessonOf(name); number != 0 && shown[name] != number {
			t.Errorf("%s: %s does not stand in line %d of %s: add it there", file, name, number, lessonsPage)
		}
	}
}

// lessonOf is the number in a test's name, 0 for none.
func lessonOf(name string) int {
	found := lessonName.FindStringSubmatch(name)
	if found == nil {
		return 0
	}
	number, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return number
}

// testNames are all tests of the repository, those of other modules in it too,
// each with a file it stands in.
func testNames(t *testing.T) map[string]string {
	t.Helper()
	root, names := moduleRoot(t), map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", "bin"}, d.Name()) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, declared := range file.Decls {
			if f, ok := declared.(*ast.FuncDecl); ok && f.Recv == nil && lessonWord.MatchString("`"+f.Name.Name+"`") {
				names[f.Name.Name] = strings.TrimPrefix(path, root+string(filepath.Separator))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
