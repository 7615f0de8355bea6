//go:build !race

package worker

import "testing"

// kernelLimited tests are run here; see race_on_test.go.
func kernelLimited(*testing.T) {}
