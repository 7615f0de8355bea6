//go:build race

package rego

import "testing"

// long tests compute much in one goroutine: under the race detector, which
// has nothing to find there, they would take most of an hour. .ci/test runs
// them whole without it.
func long(t *testing.T) {
	t.Helper()
	t.Skip("run whole without the race detector")
}

// raced: the race detector is on.
const raced = true
