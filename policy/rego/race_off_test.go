//go:build !race

package rego

import "testing"

// long tests are run here; see race_on_test.go.
func long(*testing.T) {}

// raced: the race detector is on.
const raced = false
