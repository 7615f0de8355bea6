package rego

import (
	"testing"
	"time"
)

// The library's own tests run as a repository's would.
func TestLibraryPassesItsTests(t *testing.T) {
	found, fs := read(libraryFiles, "library")
	modules, tests := parseAll(found.modules, &fs), parseAll(found.tests, &fs)
	if len(fs) > 0 || len(modules) != 5 || len(tests) != 5 {
		t.Fatalf("%d modules, %d tests: %v", len(modules), len(tests), fs.err())
	}
	fs = append(fs, checkModules(modules, nil)...)
	passed, failed := runSuite(suite{modules: modules, tests: tests, config: map[string]any{}},
		LoadOptions{TestDeadline: 10 * time.Second, SuiteDeadline: 30 * time.Second})
	if err := append(fs, failed...).err(); err != nil {
		t.Fatal(err)
	}
	if passed < 25 {
		t.Errorf("only %d tests ran", passed)
	}
}
