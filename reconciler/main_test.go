package reconciler

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a simulation is all short-lived; memory stays small
	goleak.VerifyTestMain(m)
}
