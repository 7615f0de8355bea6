package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/journaltest"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func seq(recs ...journal.Record) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		for _, r := range recs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// fold is an environment after records about it, a minute apart.
func fold(t *testing.T, recs ...journal.Record) (journal.State, *journal.Environment) {
	t.Helper()
	for i := range recs {
		recs[i].Environment, recs[i].At = "production", noon.Add(time.Duration(i)*time.Minute)
	}
	s, err := journal.Fold(journal.State{}, seq(recs...))
	if err != nil {
		t.Fatal(err)
	}
	return s, s.Environments["production"]
}

func ref(name string) manifest.Ref { return manifest.Ref{Kind: manifest.KindFunction, Name: name} }

func named(n int) record.Release {
	return record.Release{Commit: fmt.Sprint("commit", n), Content: fmt.Sprint("content", n), Digest: fmt.Sprint("digest", n)}
}

func admission(n int, outcome string) journal.Record {
	return journal.Record{Admission: &record.Admission{Release: named(n), Outcome: outcome, At: noon}}
}

func TestAdmission(t *testing.T) {
	_, e := fold(t, admission(1, "allow"), admission(2, "deny"))
	if e.Branch != "commit2" || e.Judged.Outcome != "deny" || e.Admitted.Release != named(1) {
		t.Errorf("branch %s, judged %s, admitted %v", e.Branch, e.Judged.Outcome, e.Admitted)
	}
	if _, ok := e.Contents["content2"]; ok || len(e.Contents) != 1 || len(e.Known) != 1 {
		t.Errorf("contents %v, known %d: a denied one is not admitted", e.Contents, len(e.Known))
	}
	var many []journal.Record
	for i := range 120 {
		many = append(many, admission(i, "allow"), admission(i, "allow"))
	}
	_, e = fold(t, many...)
	if len(e.Known) != 50 || e.Known[49].Release != named(119) || e.Known[48].Release != named(118) || len(e.Contents) != 120 {
		t.Errorf("known %d, newest %v, contents %d", len(e.Known), e.Known[len(e.Known)-1].Release, len(e.Contents))
	}
}

// An intent is open until it was answered or what it wanted was seen.
func TestIntents(t *testing.T) {
	intent := journal.Record{Intent: &record.Intent{Ref: ref("a"), Operation: "update", Cause: "commit"}}
	_, e := fold(t, intent)
	if len(e.Intents) != 1 {
		t.Fatal("no open intent")
	}
	for name, end := range map[string]journal.Record{
		"answered": {Outcome: &record.Outcome{Ref: ref("a"), Operation: "update", RequestIDs: []string{"r1"}, At: noon}},
		"refused":  {Outcome: &record.Outcome{Ref: ref("a"), Operation: "update", Kind: "transient", At: noon}},
		"seen":     {Fact: &record.Fact{Ref: ref("a"), Release: "digest1"}},
		"gone":     {Fact: &record.Fact{Ref: ref("a"), Gone: true}},
	} {
		_, e := fold(t, intent, end)
		if len(e.Intents) != 0 {
			t.Errorf("%s: the intent is still open", name)
		}
		if _, applied := e.Applied[ref("a")]; applied != (name == "seen") {
			t.Errorf("%s: applied %t; only what was seen is a fact", name, applied)
		}
	}
}

func TestParked(t *testing.T) {
	outcome := func(kind string) journal.Record {
		return journal.Record{Outcome: &record.Outcome{Ref: ref("a"), Operation: "update", Kind: kind, Input: "digest1", At: noon}}
	}
	for _, tc := range []struct {
		name string
		recs []journal.Record
		want bool
	}{
		{"denied", []journal.Record{outcome("denied")}, true},
		{"invalid", []journal.Record{outcome("invalid")}, true},
		{"transient", []journal.Record{outcome("transient")}, false},
		{"a transient error says nothing new", []journal.Record{outcome("denied"), outcome("throttled")}, true},
		{"success", []journal.Record{outcome("denied"), outcome("")}, false},
		{"a person's retry", []journal.Record{outcome("denied"), {Retry: &journal.Retry{By: "ann"}}}, false},
	} {
		if _, e := fold(t, tc.recs...); (len(e.Parked) == 1) != tc.want {
			t.Errorf("%s: parked %v", tc.name, e.Parked)
		}
	}
}

// Rounds count the reverts made, also of a difference that comes back under
// the same id, and also when it never went away between two looks.
func TestRounds(t *testing.T) {
	drift := journal.Record{Drift: &record.DriftItem{ID: "d", Ref: ref("a"), Path: "memorySize", Kind: record.Changed, Seen: 2, Response: record.Revert}}
	other := journal.Record{Drift: &record.DriftItem{ID: "o", Ref: ref("b"), Kind: record.Changed, Seen: 2, Response: record.Revert}}
	alerted := journal.Record{Drift: &record.DriftItem{ID: "n", Ref: ref("a"), Path: "timeout", Kind: record.Changed, Seen: 2, Response: record.Alert}}
	revert := []journal.Record{
		{Intent: &record.Intent{Ref: ref("a"), Operation: "update", Cause: "drift"}},
		{Outcome: &record.Outcome{Ref: ref("a"), Operation: "update", At: noon}},
	}
	failed := []journal.Record{revert[0], {Outcome: &record.Outcome{Ref: ref("a"), Operation: "update", Kind: "conflict"}}}
	commit := []journal.Record{{Intent: &record.Intent{Ref: ref("a"), Operation: "update", Cause: "commit"}}, revert[1]}
	recs := slices.Concat([]journal.Record{drift, other, alerted}, revert, failed, commit,
		[]journal.Record{{Resolved: &journal.Resolved{ID: "d", How: "reverted"}}, drift}, revert, revert)
	_, e := fold(t, recs...)
	if e.Rounds["d"].Count != 3 || e.Drift["d"].Rounds != 3 {
		t.Errorf("rounds %d, on the item %d, want 3", e.Rounds["d"].Count, e.Drift["d"].Rounds)
	}
	again := slices.Concat([]journal.Record{drift}, revert, []journal.Record{{Resolved: &journal.Resolved{ID: "d", How: "reverted"}}, drift})
	if _, e := fold(t, again...); e.Drift["d"].Rounds != 1 {
		t.Errorf("a difference that came back tells %d rounds, want the one before", e.Drift["d"].Rounds)
	}
	if len(e.Rounds) != 1 {
		t.Errorf("rounds of what was not reverted: %v", e.Rounds)
	}
}

func TestHoldsApprovalsRequests(t *testing.T) {
	_, e := fold(t,
		journal.Record{Hold: &record.Hold{ID: "h1", Until: noon.Add(time.Hour)}},
		journal.Record{Hold: &record.Hold{ID: "h2"}},
		journal.Record{Lift: &journal.Lift{ID: "h2"}},
		journal.Record{Quarantine: &record.Quarantine{Key: named(1).Key()}},
		journal.Record{Quarantine: &record.Quarantine{Key: named(2).Key()}},
		journal.Record{Retry: &journal.Retry{Key: named(1).Key()}},
		journal.Record{Request: &journal.Request{ID: "q1", Kind: "sync"}},
		journal.Record{Request: &journal.Request{ID: "q2", Kind: "sync"}},
		journal.Record{Request: &journal.Request{ID: "q1", Done: true}},
	)
	if ids := slices.Sorted(maps.Keys(e.Holds)); !slices.Equal(ids, []string{"h1"}) {
		t.Errorf("holds %v", ids)
	}
	if _, still := e.Quarantine[named(2).Key()]; !still || len(e.Quarantine) != 1 {
		t.Errorf("quarantine %v", e.Quarantine)
	}
	if _, open := e.Requests["q2"]; !open || len(e.Requests) != 1 {
		t.Errorf("requests %v", e.Requests)
	}
}

func TestGapIsDamage(t *testing.T) {
	h := &record.Hold{ID: "h"}
	s, err := journal.Fold(journal.State{}, seq(journal.Record{Seq: 1, Environment: "e", Hold: h}, journal.Record{Seq: 3, Environment: "e", Hold: h}))
	if !errors.Is(err, journal.ErrCorrupt) || s.Seq != 1 {
		t.Errorf("a gap: %v at record %d", err, s.Seq)
	}
	if _, err := journal.Fold(journal.State{}, seq(journal.Record{})); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("an empty record: %v", err)
	}
	damaged := func(yield func(journal.Record, error) bool) { yield(journal.Record{}, journal.ErrCorrupt) }
	if _, err := journal.Fold(journal.State{}, damaged); !errors.Is(err, journal.ErrCorrupt) {
		t.Errorf("a damaged record: %v", err)
	}
}

// A clone is not written to by folds of the state it was made from.
func TestClone(t *testing.T) {
	m := journal.NewMemory()
	fence, err := m.Acquire(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Append(t.Context(), fence, journaltest.Samples()...); err != nil {
		t.Fatal(err)
	}
	s, err := journal.Load(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	clone := s.Clone()
	same, err := journal.Load(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	more := journaltest.Samples()
	for i := range more {
		more[i].At = more[i].At.Add(time.Hour)
		if d := more[i].Drift; d != nil {
			d.Path = "timeout"
		}
		if f := more[i].Fact; f != nil {
			f.Gone = true
		}
		if c := more[i].Check; c != nil {
			c.Passed = false
		}
	}
	if _, err := journal.Fold(s, seq(more...)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(same, clone, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the clone was written to (-was +is):\n%s", diff)
	}
}

func TestOutbox(t *testing.T) {
	alert := func(id, status string, receivers ...string) journal.Record {
		return journal.Record{Alert: &journal.Alert{ID: id, Fingerprint: "f", Status: status, Receivers: receivers, At: noon}}
	}
	s, _ := fold(t, alert("a1", "firing", "oncall", "chat"), alert("a2", "resolved", "oncall"),
		journal.Record{Delivered: &journal.Delivered{ID: "a1", Receiver: "chat"}},
		journal.Record{Delivered: &journal.Delivered{ID: "unknown", Receiver: "oncall"}})
	var left []string
	for _, p := range s.Outbox {
		left = append(left, p.Alert.ID+" to "+p.Receiver)
	}
	if !slices.Equal(left, []string{"a1 to oncall", "a2 to oncall"}) {
		t.Errorf("outbox %v", left)
	}
	if s.Alerts["f"].Alert.Status != "resolved" {
		t.Errorf("newest %v", s.Alerts["f"])
	}
}

// A snapshot from before it was kept whom alerts were sent to is read as what was
// sent last: those who know the beginning are told the end, and of what rises;
// what was over then is nobody's.
func TestAlertsOfAnOldSnapshot(t *testing.T) {
	alert := func(id, fingerprint, status, severity string, receivers ...string) journal.Record {
		return journal.Record{Alert: &journal.Alert{ID: id, Fingerprint: fingerprint, Status: status, Severity: severity, Receivers: receivers, At: noon}}
	}
	s, _ := fold(t, alert("a1", "fires", "firing", "high", "oncall", "chat"), alert("b1", "over", "firing", "low", "chat"), alert("b2", "over", "resolved", "low", "chat"),
		alert("c1", "muted", "firing", "low"))
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var snapshot map[string]any
	if err := json.Unmarshal(data, &snapshot); err != nil {
		t.Fatal(err)
	}
	alerts, _ := snapshot["Alerts"].(map[string]any)
	for _, state := range alerts {
		delete(state.(map[string]any), "Sent")
	}
	if data, err = json.Marshal(snapshot); err != nil || len(alerts) != 3 || bytes.Contains(data, []byte(`"Sent"`)) {
		t.Fatalf("%d alerts: %v", len(alerts), err)
	}
	var old journal.State
	if err := json.Unmarshal(data, &old); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Alerts["fires"].Sent, old.Alerts["fires"].Told()); diff != "" {
		t.Errorf("what fires (-kept +read):\n%s", diff)
	}
	for _, fingerprint := range []string{"over", "muted"} {
		if told := old.Alerts[fingerprint].Told(); len(told.To) > 0 {
			t.Errorf("%s is told to %v", fingerprint, told.To)
		}
	}
	rises := alert("a2", "fires", "firing", "critical", "oncall")
	if old, err = journal.Fold(old, seq(rises)); err != nil {
		t.Fatal(err)
	}
	if to := old.Alerts["fires"].Told().To; !slices.Equal(to["oncall"], []string{"high", "critical"}) || !slices.Equal(to["chat"], []string{"high"}) {
		t.Errorf("after it rose: %v", to)
	}
	if old, err = journal.Fold(old, seq(alert("a3", "fires", "resolved", "critical", "oncall", "chat"), alert("b3", "over", "firing", "low", "oncall"))); err != nil {
		t.Fatal(err)
	}
	if to := old.Alerts["fires"].Told().To; len(to) != 2 {
		t.Errorf("after its end: %v", to)
	}
	if to := old.Alerts["over"].Told().To; len(to) != 1 || to["oncall"] == nil {
		t.Errorf("what fires anew: %v", to)
	}
}

// TestLesson75OldestResolvedIsDroppedFirst: an outbox nobody empties for a week
// is bounded by number and by bytes: it drops the oldest resolved events, counts
// them, and never drops a firing one.
func TestLesson75OldestResolvedIsDroppedFirst(t *testing.T) {
	for name, c := range map[string]struct{ n, text, mostBytes int }{
		"many":  {12000, 10, 36 << 20},
		"large": {6000, 16 << 10, 36 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			var recs []journal.Record
			text := strings.Repeat("x", c.text)
			for i := range c.n {
				status := "resolved"
				if i%8 == 0 {
					status = "firing"
				}
				at := noon.Add(time.Duration(i) * 7 * 24 * time.Hour / time.Duration(c.n))
				recs = append(recs, journal.Record{Alert: &journal.Alert{ID: fmt.Sprint(i), Fingerprint: fmt.Sprint("f", i), Status: status, Text: text, Receivers: []string{"oncall"}, At: at}})
			}
			s, _ := fold(t, recs...)
			firing, before, bytes, resolvedFrom := 0, -1, 0, -1
			for _, p := range s.Outbox {
				n, err := strconv.Atoi(p.Alert.ID)
				if err != nil || n <= before {
					t.Fatalf("event %s stands behind %d (%v)", p.Alert.ID, before, err)
				}
				before = n
				bytes += len(p.Alert.Text)
				if p.Alert.Status == "firing" {
					firing++
				} else if resolvedFrom < 0 {
					resolvedFrom = n
				}
			}
			if firing != c.n/8 || len(s.Outbox) > 11000 || bytes > c.mostBytes || before != c.n-1 {
				t.Errorf("%d events of %d bytes, %d of %d firing, the newest %d", len(s.Outbox), bytes, firing, c.n/8, before)
			}
			if s.Dropped == 0 || int(s.Dropped)+len(s.Outbox) != c.n {
				t.Errorf("%d dropped and %d kept of %d", s.Dropped, len(s.Outbox), c.n)
			}
			if kept := c.n - c.n/8 - int(s.Dropped); resolvedFrom < int(s.Dropped) {
				t.Errorf("resolved ones from %d on are kept, though %d were dropped and %d stay: not the oldest went first", resolvedFrom, s.Dropped, kept)
			}
			// All of it delivered, nothing is left of what was counted.
			done := slices.Clone(recs)
			for _, p := range s.Outbox {
				done = append(done, journal.Record{Delivered: &journal.Delivered{ID: p.Alert.ID, Receiver: p.Receiver}})
			}
			s, _ = fold(t, done...)
			if len(s.Outbox) != 0 || s.OutboxBytes != 0 {
				t.Errorf("%d events, %d bytes left", len(s.Outbox), s.OutboxBytes)
			}
		})
	}
}

// Alerts that fire are remembered, however many there are.
func TestFiringIsNeverForgotten(t *testing.T) {
	var recs []journal.Record
	for i := range 12000 {
		status := "resolved"
		if i%4 == 0 {
			status = "firing"
		}
		recs = append(recs, journal.Record{Alert: &journal.Alert{ID: fmt.Sprint(i), Fingerprint: fmt.Sprint("f", i), Status: status, At: noon}})
	}
	s, _ := fold(t, recs...)
	firing := 0
	for _, a := range s.Alerts {
		if a.Alert.Status == "firing" {
			firing++
		}
	}
	if firing != 3000 || len(s.Alerts) > 2*4096 {
		t.Errorf("%d alerts remembered, %d of 3000 firing", len(s.Alerts), firing)
	}
}

// What only grows is bounded.
func TestBounds(t *testing.T) {
	var recs []journal.Record
	for i := range 10000 {
		at := noon.Add(time.Duration(i) * time.Second)
		recs = append(recs,
			journal.Record{Outcome: &record.Outcome{Ref: ref(fmt.Sprint(i % 7)), Operation: "update", RequestIDs: []string{fmt.Sprint("r", i)}, At: at}},
			journal.Record{Approval: &record.Approval{By: fmt.Sprint(i)}},
			journal.Record{Check: &record.CheckResult{Key: named(i).Key(), Name: "smoke", At: at}},
			journal.Record{Promotion: &record.Promotion{From: "a", To: "b", Key: named(i / 3).Key(), Outcome: "held"}},
			journal.Record{Hold: &record.Hold{ID: fmt.Sprint("h", i), Owner: fmt.Sprint(i), Until: noon.Add(time.Duration(i) * time.Minute)}})
	}
	_, e := fold(t, recs...)
	for name, got := range map[string]struct{ n, most int }{"requests": {len(e.OwnRequests), 8192}, "approvals": {len(e.Approvals), 200},
		"checks": {len(e.Checks), 128}, "promotions": {len(e.Promotions), 50}, "history": {len(e.History), 500}} {
		if got.n > got.most || got.n == 0 {
			t.Errorf("%s: %d, bounded to %d", name, got.n, got.most)
		}
	}
	if _, newest := e.OwnRequests["r9999"]; !newest {
		t.Error("the newest request id was forgotten")
	}
	if _, newest := e.Checks[named(9999).Key()]; !newest {
		t.Error("the newest check was forgotten")
	}
	if last := e.Promotions[len(e.Promotions)-1]; last.Key != named(9999/3).Key() || e.Promotions[len(e.Promotions)-2].Key == last.Key {
		t.Error("repeated holds of one promotion are one")
	}
	if len(e.Holds) > 5000 {
		t.Errorf("%d holds: those that ended long ago stay", len(e.Holds))
	}
}

// Folding a snapshot and the rest is folding it all, at every cut.
func TestFoldInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var recs []journal.Record
		for i := range rapid.IntRange(0, 60).Draw(t, "records") {
			r := rapid.SampledFrom(journaltest.Samples()).Draw(t, "record")
			r.At = noon.Add(time.Duration(i) * time.Minute)
			recs = append(recs, r)
		}
		whole, err := journal.Fold(journal.State{}, seq(recs...))
		if err != nil {
			t.Fatal(err)
		}
		cut := rapid.IntRange(0, len(recs)).Draw(t, "cut")
		first, err := journal.Fold(journal.State{}, seq(recs[:cut]...))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(first) // as a snapshot is
		if err != nil {
			t.Fatal(err)
		}
		first = journal.State{}
		if err := json.Unmarshal(data, &first); err != nil {
			t.Fatal(err)
		}
		pieces, err := journal.Fold(first, seq(recs[cut:]...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole, pieces, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("cut at %d (-whole +pieces):\n%s", cut, diff)
		}
	})
}

func TestHistoryReads(t *testing.T) {
	was := rollout.State{Release: named(1)}
	moving := rollout.State{Release: named(2), Stable: named(1), Phase: rollout.Shift, Weight: 10, Cause: "commit", Stages: make([]manifest.Stage, 3)}
	held, back, done := moving, moving, was
	key := record.Key{Content: "sha256:c2"}
	held.Paused = "incident"
	back.Phase, back.Reason = rollout.Back, "Function/a: 5 of 5 calls failed"
	done.Returned, done.Reason = rollout.ByVerdict, "Function/a: 5 of 5 calls failed"
	begins := moving
	begins.Phase = rollout.Expand
	_, e := fold(t, admission(2, "allow"),
		journal.Record{Rollout: &was}, journal.Record{Rollout: &begins}, journal.Record{Rollout: &moving}, journal.Record{Rollout: &moving},
		journal.Record{Rollout: &held}, journal.Record{Rollout: &back}, journal.Record{Rollout: &done},
		journal.Record{Intent: &record.Intent{Ref: ref("a"), Cause: "commit"}},
		journal.Record{Outcome: &record.Outcome{Ref: ref("a"), Operation: "update", Kind: "denied", Error: "lambda:UpdateFunctionCode"}},
		journal.Record{Drift: &record.DriftItem{ID: "d", Ref: ref("a"), Path: "memorySize", Kind: record.Changed, Seen: 1}},
		journal.Record{Drift: &record.DriftItem{ID: "d", Ref: ref("a"), Path: "memorySize", Kind: record.Changed, Seen: 2, Response: record.Revert}},
		journal.Record{Resolved: &journal.Resolved{ID: "d", How: "reverted"}},
		journal.Record{Approval: &record.Approval{Key: key, By: "ann", Reason: "read the plan"}},
		journal.Record{Approval: &record.Approval{Key: key, By: "bob", Answer: record.Rejected, Reason: "not on Friday"}},
		journal.Record{Approval: &record.Approval{Key: key, By: "bob", Answer: record.Withdrawn}},
	)
	want := []string{"commit2 admitted", "commit1 is in force", "commit2 begins: commit", "commit2: 10% of traffic wanted, stage 1 of 3", "paused: incident",
		"returning to commit1: Function/a: 5 of 5 calls failed", "back at commit1: Function/a: 5 of 5 calls failed",
		"update Function/a (commit) failed, denied: lambda:UpdateFunctionCode", "memorySize changed: revert", "memorySize changed: reverted",
		"c2 approved by ann: read the plan", "c2 rejected by bob: not on Friday", "what bob said of c2 is withdrawn"}
	var got []string
	for _, event := range e.History {
		got = append(got, event.Text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// TestWroteIsWhatNoFactFollowed: an answer does not tell what lives, so what
// an intent may have left behind is remembered until it is seen.
func TestWroteIsWhatNoFactFollowed(t *testing.T) {
	ref := manifest.Ref{Kind: manifest.KindQueue, Name: "orders"}
	intent := journal.Record{Intent: &record.Intent{Ref: ref, Release: "sha256:b"}}
	_, e := fold(t, intent, journal.Record{Outcome: &record.Outcome{Ref: ref}})
	if e.Wrote[ref] != "sha256:b" {
		t.Errorf("after the answer: %q, want the release", e.Wrote[ref])
	}
	_, e = fold(t, intent, journal.Record{Fact: &record.Fact{Ref: ref, Release: "sha256:b"}})
	if _, left := e.Wrote[ref]; left {
		t.Error("a fact did not end it")
	}
}

// However many attempts failed since, what was made active last is known.
func TestFailedActivationsDoNotHideTheActiveOne(t *testing.T) {
	var s journal.State
	add := func(revision string, active bool) {
		var err error
		if s, err = journal.Fold(s, seq(journal.Record{Activation: &record.Activation{Revision: revision, Active: active}})); err != nil {
			t.Fatal(err)
		}
	}
	add("first", true)
	for range 120 {
		add("broken", false)
	}
	if n := len(s.Activations); n != 50 || s.Activations[0].Revision != "first" || !s.Activations[0].Active || s.Activations[1].Active {
		t.Fatalf("%d are known, the oldest %+v", n, s.Activations[0])
	}
	add("second", true)
	for range 120 {
		add("broken", false)
	}
	if n := len(s.Activations); n != 50 || s.Activations[0].Revision != "second" {
		t.Errorf("%d are known, the oldest %+v", n, s.Activations[0])
	}
}
