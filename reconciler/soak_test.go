package reconciler

import (
	"testing"
	"time"

	"mooring.dev/providers/memory"
)

// A soak costs a few records, and none beyond one in five minutes once it is
// over; it is recorded when it is complete, and a crash loses a tenth of it at
// most.
func TestASoakCostsFewRecords(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "preview", "production")
	settled(t, s)
	records := func(d time.Duration) (n int) {
		before := s.watch.environment("preview").Soak
		for end := s.real.Add(d); s.real.Before(end); s.run(10 * time.Second) {
			if now := s.watch.environment("preview").Soak; now != before {
				n, before = n+1, now
			}
		}
		return n
	}
	if n := records(2 * time.Hour); n < 20 || n > 26 {
		t.Errorf("%d records in two hours", n)
	}
	had := s.d.environment("preview").published.Load().status.SoakSeconds
	saved := s.watch.environment("preview").Soak.Elapsed
	s.restart()
	s.turn(true)
	if got := s.d.environment("preview").published.Load().status.SoakSeconds; got > had+int64(accrueLimit/time.Second) || time.Duration(had-got)*time.Second > soakLost || got < int64(saved/time.Second) {
		t.Errorf("%ds of %ds are left after a crash, %s were saved", got, had, saved)
	}
	for need, want := range map[time.Duration]time.Duration{0: soakLost, 20 * time.Second: saveEvery, 30 * time.Minute: 3 * time.Minute, 24 * time.Hour: soakLost} {
		if got := soakEvery(need, 0); got != want {
			t.Errorf("a soak of %s is recorded each %s, want %s", need, got, want)
		}
	}
	if got := soakEvery(time.Minute, time.Minute); got != soakLost {
		t.Errorf("a soak that is over is recorded each %s", got)
	}
	sound(t, s)
}
