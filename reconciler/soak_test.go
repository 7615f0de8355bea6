package reconciler

import (
	"context"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
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

// Content that waits for a soak is one record and one decision, whoever asks for
// it, while status tells the time as it goes on; other news about it is recorded.
func TestWaitingForASoakIsOneRecord(t *testing.T) {
	const asked = `package policy.promotion.aged
allow if input.environment.name == "production"
require contains {"kind": "soak", "code": "aged", "msg": sprintf("it is there for %d of 21600 seconds", [u.soak_seconds])} if {
	some u in input.upstream
	u.soak_seconds < 21600
}
`
	for name, waits := range map[string]func(t *testing.T) *simulation{
		"the environment": func(*testing.T) *simulation {
			s := newSimulation(1, memory.Options{}, mutant{}, "preview", "production")
			files := s.controlFiles()
			files["mooring.yaml"] = strings.Replace(files["mooring.yaml"], "soak: 20s", "soak: 6h", 1)
			s.repo.commit("main", files)
			s.repo.commit("env/preview", firstContent().files())
			s.restart()
			return s
		},
		"policy": func(t *testing.T) *simulation {
			return guarded(t, map[string]string{"policies/promotion/aged.rego": asked})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := waits(t)
			promotion := func() string { return s.d.environment("production").published.Load().status.Promotion }
			s.until(time.Hour, func() bool { return strings.Contains(promotion(), " of ") })
			s.run(time.Minute)
			before, records, decisions := promotion(), 0, 0
			from := s.watch.state.Seq
			s.run(2 * time.Hour)
			for rec, err := range s.store.Records(t.Context(), from) {
				must(err)
				if rec.Promotion != nil {
					records++
				}
				if rec.Decision != nil && rec.Decision.Point == "promotion" {
					decisions++
				}
			}
			if records+decisions > 0 || promotion() == before {
				t.Errorf("%d records and %d decisions in two hours; status says %q, then %q", records, decisions, before, promotion())
			}
			must(s.ask("production", func(ctx context.Context, d *Daemon) error {
				_, err := d.Hold(ctx, web.HoldRequest{Environment: "production", Reason: "lunch", For: time.Hour, By: access.Stated("bob")})
				return err
			}))
			s.run(time.Minute)
			if pr := s.watch.environment("production").Promotions; !strings.Contains(pr[len(pr)-1].Reason, "lunch") {
				t.Errorf("a hold is not recorded: %+v", pr[len(pr)-1])
			}
			sound(t, s)
		})
	}
}
