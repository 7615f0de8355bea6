package reconciler

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"mooring.dev/providers/memory"
)

// lived is what a busy stretch of life left.
type lived struct {
	kept     uint64 // bytes that the daemon alone holds
	routines int
	lines    int // of history
}

// busy is so many minutes with a canary every ten, under traffic, and somebody
// who changes something by hand every two, of which alerts are sent.
func busy(t *testing.T, minutes int) lived {
	t.Helper()
	s := begin(t, memory.Options{}, mutant{}, "production")
	settled(t, s)
	for minute := range minutes {
		if minute%10 == 0 {
			k := firstContent()
			k.checkout = code(100 + minute)
			s.repo.commit("env/production", k.files())
		}
		if minute%2 == 1 {
			if err := s.platform.Manual("oncall").Set(s.function("production", "mailer"), "timeout", fmt.Sprint(60+minute)); err != nil {
				t.Fatal(err)
			}
		}
		s.run(time.Minute)
	}
	sound(t, s)
	st := s.watch.environment("production")
	if len(st.Rollouts) < minutes/10 || len(s.received) == 0 {
		t.Fatalf("in %d minutes there were %d rollouts, and alerts to %d receivers", minutes, len(st.Rollouts), len(s.received))
	}
	out := lived{routines: runtime.NumGoroutine(), lines: len(st.History)}
	with := inUse()
	s.d = nil
	out.kept = with - inUse()
	runtime.KeepAlive(s)
	return out
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers held, too
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// lineRoom is what a line of history may take, with all that is remembered
// beside it: a rollout, its decision, an alert.
const lineRoom = 2 << 10

// What a daemon keeps of an hour with canaries, traffic, drift and alerts is
// their history, of which no more than 500 lines and 50 rollouts are kept.
func TestAnHourOfTrafficKeepsItsHistoryOnly(t *testing.T) {
	short, hour := busy(t, 10), busy(t, 60)
	t.Logf("after 10 minutes %+v, after 60 %+v", short, hour)
	if room := uint64(max(1, hour.lines-short.lines)) * lineRoom; hour.kept > short.kept+room || hour.routines > short.routines {
		t.Errorf("after 10 minutes a daemon holds %d bytes, %d goroutines; after an hour %d, %d, for %d lines of history more", short.kept, short.routines, hour.kept, hour.routines, hour.lines-short.lines)
	}
}
