package reconciler

import (
	"context"
	"errors"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// mitigated is an environment in which somebody raised a timeout by hand, and
// the difference as it is held.
func mitigated(t *testing.T) (*simulation, record.DriftItem) {
	t.Helper()
	s := begin(t, memory.Options{}, mutant{}, "preview")
	settled(t, s)
	if err := s.platform.Manual("oncall").Set(s.function("preview", "checkout"), "timeout", "60"); err != nil {
		t.Fatal(err)
	}
	s.run(2 * time.Minute)
	for _, item := range s.watch.environment("preview").Drift {
		if item.Response == record.HoldIt && len(s.watch.environment("preview").Holds) == 1 {
			return s, item
		}
	}
	t.Fatalf("nothing is held: %+v", s.watch.environment("preview").Drift)
	return nil, record.DriftItem{}
}

func (s *simulation) answer(a web.DriftAnswer) error {
	return s.ask(a.Environment, func(ctx context.Context, d *Daemon) error { return d.Answer(ctx, a) })
}

func (s *simulation) timeout() string {
	fields, _ := s.platform.Fields(s.function("preview", "checkout"))
	return fields["timeout"]
}

func TestAcceptedDriftIsLetBeUntilItsEnd(t *testing.T) {
	s, item := mitigated(t)
	told := s.alerts("drift", "firing")
	must(s.answer(web.DriftAnswer{Environment: "preview", Item: item.ID, Accept: true, For: time.Hour, By: access.Stated("ann")}))
	s.run(30 * time.Minute)
	st := s.watch.environment("preview")
	if s.timeout() != "60" || len(st.Holds) != 0 || st.Drift[item.ID].Response != record.Ignore || s.alerts("drift", "resolved") != 1 {
		t.Errorf("timeout %s, holds %v, item %+v, %d resolved", s.timeout(), st.Holds, st.Drift[item.ID], s.alerts("drift", "resolved"))
	}
	s.run(time.Hour)
	st = s.watch.environment("preview")
	if s.timeout() != "60" || len(st.Holds) != 1 || st.Drift[item.ID].Response != record.HoldIt || s.alerts("drift", "firing") != told+1 {
		t.Errorf("after its end: timeout %s, holds %v, item %+v", s.timeout(), st.Holds, st.Drift[item.ID])
	}
	sound(t, s)
}

func TestDriftIsPutBackAtAPersonsWord(t *testing.T) {
	s, item := mitigated(t)
	must(s.answer(web.DriftAnswer{Environment: "preview", Item: item.ID, By: access.Stated("ann"), Reason: "over"}))
	settled(t, s)
	if st := s.watch.environment("preview"); s.timeout() == "60" || len(st.Drift) != 0 || len(st.Holds) != 0 {
		t.Errorf("timeout %s, %+v", s.timeout(), st.Drift)
	}
	sound(t, s)
}

func TestAnswersThatMeanNothing(t *testing.T) {
	s, item := mitigated(t)
	if err := s.answer(web.DriftAnswer{Environment: "preview", Item: item.ID, Accept: true, By: access.Stated("ann")}); err == nil {
		t.Error("an acceptance without end")
	}
	if err := s.answer(web.DriftAnswer{Environment: "preview", Item: "nope", By: access.Stated("ann")}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown item: %v", err)
	}
	s.run(time.Minute)
	if s.timeout() != "60" {
		t.Error("something was done")
	}
	sound(t, s)
}
