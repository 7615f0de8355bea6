//go:build !race

package rego

import "testing"

// long tests are run here; see race_on_test.go.
func long(*testing.T) {}
