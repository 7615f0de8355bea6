package reconciler

import (
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(2000) // a simulation is all short-lived: a quarter of a gigabyte at most
	goleak.VerifyTestMain(m)
}
