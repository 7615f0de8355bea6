package reconciler

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(2000) // what a simulation makes is all short-lived
	debug.SetMemoryLimit(2 << 30)
	goleak.VerifyTestMain(m)
}
