package rego

import (
	"syscall"
	"testing"
	"time"
)

// countCPU reports the processor time of each operation: on a machine that is
// busy with other things the time on the wall says little.
func countCPU(b *testing.B) {
	began := spent(b)
	b.Cleanup(func() { b.ReportMetric(float64((spent(b)-began).Microseconds())/1000/float64(b.N), "cpu-ms/op") })
}

func spent(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
