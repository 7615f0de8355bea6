package journal_test

import (
	"slices"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/rollout"
)

func at(n int, phase rollout.Phase, change func(*rollout.State)) journal.Record {
	s := rollout.State{Release: named(n), Stable: named(n - 1), Phase: phase, Cause: "commit"}
	if change != nil {
		change(&s)
	}
	return journal.Record{Rollout: &s}
}

// What becomes of rollouts, by what follows them.
func TestRolloutsOfAnEnvironment(t *testing.T) {
	returned := func(s *rollout.State) {
		s.Release, s.Returned, s.Reason = named(1), rollout.ByVerdict, "orders fail"
	}
	cases := map[string]struct {
		recs []journal.Record
		want []string
	}{
		"goes through": {[]journal.Record{at(2, rollout.Expand, nil), at(2, rollout.Shift, nil), at(2, rollout.Idle, nil)}, []string{"digest2 in_force"}},
		"moves":        {[]journal.Record{at(2, rollout.Expand, nil), at(2, rollout.Shift, nil)}, []string{"digest2 moving"}},
		"goes back":    {[]journal.Record{at(2, rollout.Shift, nil), at(2, rollout.Back, nil), at(1, rollout.Idle, returned)}, []string{"digest2 returned orders fail"}},
		"is overtaken before traffic": {[]journal.Record{at(2, rollout.Expand, nil), at(3, rollout.Expand, nil), at(3, rollout.Idle, nil)},
			[]string{"digest2 superseded", "digest3 in_force"}},
		"is overtaken on its way back": {[]journal.Record{at(2, rollout.Shift, nil), at(2, rollout.Back, nil), at(3, rollout.Expand, nil)},
			[]string{"digest2 returned", "digest3 moving"}},
		"stops":                           {[]journal.Record{at(2, rollout.Shift, func(s *rollout.State) { s.Failed, s.Reason = true, "all calls fail" })}, []string{"digest2 stopped all calls fail"}},
		"stops and is tried again":        {[]journal.Record{at(2, rollout.Shift, func(s *rollout.State) { s.Failed = true }), at(2, rollout.Shift, nil)}, []string{"digest2 moving"}},
		"comes again":                     {[]journal.Record{at(2, rollout.Shift, nil), at(2, rollout.Idle, nil), at(2, rollout.Expand, nil)}, []string{"digest2 in_force", "digest2 moving"}},
		"nothing moves":                   {[]journal.Record{at(2, rollout.Idle, nil), at(2, rollout.Idle, nil)}, nil},
		"a binding moves without traffic": {[]journal.Record{at(2, rollout.Expand, nil), at(2, rollout.Connect, nil), at(2, rollout.Idle, nil), at(2, rollout.Idle, nil)}, []string{"digest2 in_force"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, e := fold(t, c.recs...)
			var got []string
			for _, r := range e.Rollouts {
				text := r.Release.Digest + " " + r.Outcome
				if r.Reason != "" {
					text += " " + r.Reason
				}
				got = append(got, text)
				if ended := !r.Ended.IsZero(); ended == (r.Outcome == journal.Moving || r.Outcome == journal.Stopped) {
					t.Errorf("%s ended at %s", text, r.Ended)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Every look at a rollout is found again, and none of another's.
func TestLooksOfARollout(t *testing.T) {
	store := journal.NewMemory()
	fence, err := store.Acquire(t.Context(), "me") // record 1
	if err != nil {
		t.Fatal(err)
	}
	recs := []journal.Record{at(2, rollout.Shift, nil), at(7, rollout.Shift, nil), at(2, rollout.Shift, func(s *rollout.State) { s.Looks = 1 }),
		admission(3, "allow"), at(2, rollout.Idle, nil), at(3, rollout.Expand, nil)}
	for i := range recs {
		recs[i].Seq, recs[i].At, recs[i].Environment = journal.Seq(i+2), noon.Add(time.Duration(i)*time.Minute), "production"
	}
	recs[1].Environment = "staging"
	if err := store.Append(t.Context(), fence, recs...); err != nil {
		t.Fatal(err)
	}
	s, err := journal.Load(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	var got []journal.Seq
	for look, err := range journal.NewDocket(store, func() journal.Seq { return s.Seq }).Looks(t.Context(), "production", s.Environments["production"].Rollouts[0]) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, look.Seq)
	}
	if want := []journal.Seq{2, 4, 6}; !slices.Equal(got, want) {
		t.Errorf("looks %v, want %v", got, want)
	}
}
