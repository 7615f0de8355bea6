package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mooring.dev/providers/aws"
)

// TestCoverageDocs: the page of what is not managed is the provider's table.
func TestCoverageDocs(t *testing.T) {
	path := filepath.Join(moduleRoot(t), "docs", "coverage.md")
	want := coverageDocs()
	if *updateDocs {
		check(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	check(t, err)
	if string(got) != want {
		t.Error("docs/coverage.md is not what the provider says: go test ./cmd/mooring -run TestCoverageDocs -update-docs")
	}
}

func coverageDocs() string {
	var b strings.Builder
	b.WriteString(`# What is not managed

Mooring manages a structure of AWS to its last member, or says here why not. The first table is what a system of functions leans on and
Mooring takes as it is. The second is made from the table that a test holds against AWS's SDK: a member the SDK learns is managed,
or stands here, before the next release is built. What is managed is in the [reference of manifests](manifests.md).

## Around

| service | what | why |
|---|---|---|
`)
	rows(&b, aws.NotManagedAround(), "")
	b.WriteString(`
## Members

| structure | members | why |
|---|---|---|
`)
	rows(&b, aws.NotManaged(), "`")
	return b.String()
}

func rows(b *strings.Builder, list []aws.Exclusion, mark string) {
	for _, e := range list {
		members := make([]string, len(e.Members))
		for i, m := range e.Members {
			members[i] = mark + m + mark
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", e.Structure, strings.Join(members, ", "), e.Reason)
	}
}
