//go:build race

package worker

import "testing"

// kernelLimited tests have the kernel bound a worker's memory, which leaves no
// room for what the race detector keeps beside it. .ci/test runs them without.
func kernelLimited(t *testing.T) {
	t.Helper()
	t.Skip("the kernel's limit leaves the race detector no room; run without it")
}
