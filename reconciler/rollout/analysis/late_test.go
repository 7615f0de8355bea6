package analysis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/providers"
)

// fate is what becomes of a version's calls: shares that fail at once, that run to
// their timeout and fail, and that run as long and succeed. The others succeed in time.
type fate struct{ fails, hangs, crawls float64 }

// of draws what is told in time of n calls, and what they come to.
func (f fate) of(r *rand.Rand, n int64) (told, all providers.Sample) {
	late := binomial(r, n, f.hangs+f.crawls)
	hung := int64(0)
	if late > 0 {
		hung = binomial(r, late, f.hangs/(f.hangs+f.crawls))
	}
	failed := int64(0)
	if n > late {
		failed = binomial(r, n-late, f.fails/(1-f.hangs-f.crawls))
	}
	told = providers.Sample{Known: n > late, Silent: n == late, Calls: n - late, Errors: failed}
	return told, providers.Sample{Known: true, Calls: n, Errors: failed + hung}
}

// endless is a stage of a function whose calls may run long.
type endless struct {
	perMinute        int64
	weight           int
	longest          time.Duration
	canary, baseline fate
	minutes          int
}

// ends are the minutes in which the release is taken back, in which it would be by
// what was told in time alone, and in which the stage could be left; 0 for never.
func (e endless) ends(r *rand.Rand) (back, byPrompt, passed int) {
	m := Arm{Ref: fn("a"), Stable: "1", New: "2", Weight: e.weight, Longest: e.longest}
	var all []Again
	from := noon
	for minute := 1; minute <= e.minutes && (back == 0 || byPrompt == 0); minute++ {
		n := binomial(r, e.perMinute, float64(e.weight)/100)
		w := windowAt(minute)
		if minute == 1 {
			from = w.From
		}
		canary, settledCanary := e.canary.of(r, n)
		baseline, settledBaseline := e.baseline.of(r, e.perMinute-n)
		all = append(all, Again{w, settledCanary, settledBaseline})
		in := Setting{Among: 1, Weight: e.weight, Longest: e.longest, Steady: true, Now: w.To.Add(90 * time.Second)}
		look := Look{Ref: m.Ref, Window: w, Canary: canary, Baseline: baseline}
		for _, due := range m.Settled.Due(e.longest, in.Now) {
			look.Again = append(look.Again, all[int(due.From.Sub(from)/time.Minute)])
		}
		m.Count(look, in, usual)
		prompt := m
		prompt.Longest = 0
		if byPrompt == 0 && Harm([]Arm{prompt}, usual) != "" {
			byPrompt = minute
		}
		if back > 0 {
			continue
		}
		switch j := Judge([]Arm{m}, usual); {
		case j.Verdict == Fail:
			back = minute
		case j.Verdict == Pass && passed == 0:
			passed = minute
		}
	}
	return back, byPrompt, passed
}

// latecomers: calls run long.
func latecomers() figures {
	f := figures{runs: 2000, few: 12, head: "| New version | Beside it | Timeout | Calls a minute | Mooring | By what is told in time alone | Passes the stage |\n|---|---|---|---|---|---|---|\n"}
	for _, kind := range []struct {
		name, beside     string
		canary, baseline fate
		same             bool
	}{
		{"1 % fail at once", "the same", fate{fails: 0.01}, fate{fails: 0.01}, true},
		{"5 % hang", "the same", fate{hangs: 0.05}, fate{hangs: 0.05}, true},
		{"5 % fail at once", "5 % hang", fate{fails: 0.05}, fate{hangs: 0.05}, true},
		{"30 % fail at once", "30 % hang", fate{fails: 0.3}, fate{hangs: 0.3}, true},
		{"5 % hang", "5 % fail at once", fate{hangs: 0.05}, fate{fails: 0.05}, true},
		{"10 % succeed as late", "none do", fate{crawls: 0.1}, fate{}, true},
		{"5 % fail at once", "none fail", fate{fails: 0.05}, fate{}, false},
		{"5 % hang", "none fail", fate{hangs: 0.05}, fate{}, false},
		{"10 % hang", "none fail", fate{hangs: 0.1}, fate{}, false},
		{"half fail at once", "none fail", fate{fails: 0.5}, fate{}, false},
		{"half hang", "none fail", fate{hangs: 0.5}, fate{}, false},
		{"all hang", "none fail", fate{hangs: 1}, fate{}, false},
		{"all fail at once", "none fail", fate{fails: 1}, fate{}, false},
	} {
		for _, at := range []struct {
			longest   time.Duration
			perMinute int64
		}{{time.Minute, 600}, {5 * time.Minute, 600}, {15 * time.Minute, 600}, {time.Minute, 60}} {
			e := endless{perMinute: at.perMinute, weight: 10, longest: at.longest, canary: kind.canary, baseline: kind.baseline, minutes: 60}
			name := fmt.Sprintf("%s | %s | %.0f min | %d", kind.name, kind.beside, at.longest.Minutes(), at.perMinute)
			f.rows = append(f.rows, row{name, kind.same, func(r *rand.Rand, runs int) []outcome {
				var back, prompt, passed []int
				for range runs {
					b, p, left := e.ends(r)
					back, prompt, passed = append(back, b), append(prompt, p), append(passed, left)
				}
				return []outcome{outcomeOf(back), outcomeOf(prompt), outcomeOf(passed)}
			}})
		}
	}
	return f
}

// BenchmarkLate prints its table of docs/analysis.md.
func BenchmarkLate(b *testing.B) { latecomers().bench(b) }

// A version that does at once what the one beside it does late, or late what that
// does at once, or is slower, is not taken back; by what is told in time alone
// the first is, always.
func TestSoonerIsNoWorse(t *testing.T) {
	const runs = 25
	for name, tc := range map[string]struct {
		canary, baseline fate
		blind            bool // what is told in time alone takes it back
	}{
		"sooner": {fate{fails: 0.05}, fate{hangs: 0.05}, true},
		"later":  {fate{hangs: 0.05}, fate{fails: 0.05}, false},
		"slower": {fate{crawls: 0.1}, fate{}, false},
		"alike":  {fate{fails: 0.02, hangs: 0.05}, fate{fails: 0.02, hangs: 0.05}, false},
	} {
		e := endless{perMinute: 600, weight: 10, longest: 5 * time.Minute, canary: tc.canary, baseline: tc.baseline, minutes: 60}
		r, backs, prompts := seeded(61), 0, 0
		for range runs {
			back, prompt, _ := e.ends(r)
			if back > 0 {
				backs++
			}
			if prompt > 0 {
				prompts++
			}
		}
		if backs > 0 || prompts > 1 != tc.blind {
			t.Errorf("%s: %d of %d go back, %d by what is told in time alone", name, backs, runs, prompts)
		}
	}
}

// Of 600 calls a minute a tenth goes to a version that lets a tenth hang for five
// minutes: it is taken back a few minutes after the first of them are told, and no
// stage was left before. One whose calls all fail at once goes back as soon as ever.
func TestHangingIsFound(t *testing.T) {
	const runs = 15
	r := seeded(67)
	for range runs {
		e := endless{perMinute: 600, weight: 10, longest: 5 * time.Minute, canary: fate{hangs: 0.1}, minutes: 60}
		if back, prompt, _ := e.ends(r); back == 0 || back > 11 || prompt > 0 {
			t.Errorf("a tenth hangs: back after %d minutes, by what is told in time after %d", back, prompt)
		}
		e.canary = fate{fails: 1}
		if back, _, passed := e.ends(r); back == 0 || back > 2 || passed > 0 {
			t.Errorf("all fail: back after %d minutes, passed after %d", back, passed)
		}
		e.canary = fate{hangs: 0.5}
		if back, _, passed := e.ends(r); back == 0 || passed > 0 {
			t.Errorf("half hang: back after %d minutes, passed after %d", back, passed)
		}
	}
}

// A look's factor of Split has a mean of at most 1 while no smaller share of the new
// version's calls ends well in time: computed exactly, not drawn.
func TestSplitIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weight, n := rapid.IntRange(1, 99).Draw(t, "weight"), rapid.Int64Range(1, 14).Draw(t, "calls")
		low, high := rapid.Float64Range(0, 1).Draw(t, "beside it"), rapid.Float64Range(0, 1).Draw(t, "new")
		if low > high {
			low, high = high, low
		}
		w, mean := float64(weight)/100, 0.0
		for c := range n + 1 {
			for b := range n - c + 1 {
				chance := mass(n, c, w*high)
				if rest := 1 - w*high; rest > 0 {
					chance *= mass(n-c, b, min(1, (1-w)*low/rest))
				}
				mean += chance * math.Exp(Split{}.bet(pair{Counts{Calls: c}, Counts{Calls: b}}, weight).LogE)
			}
		}
		if mean > 1+1e-9 {
			t.Fatalf("mean %.9f at %d%%, %.3f and %.3f", mean, weight, high, low)
		}
	})
}

// Both kinds of evidence share one stake: harm is their mean, and what was told in time
// is no more than what the share of successes allows.
func TestEvidenceIsShared(t *testing.T) {
	m := Arm{Longest: time.Minute}
	m.LogE, m.Settled.Split.LogE, m.Settled.LogE = 50, math.Log(30), math.Log(10)
	if got := math.Exp(m.harm()); math.Abs(got-20) > 1e-9 {
		t.Errorf("30 and 10 come to %g", got)
	}
	m.LogE = math.Log(4)
	if got := math.Exp(m.harm()); math.Abs(got-7) > 1e-9 {
		t.Errorf("4 and 10 come to %g", got)
	}
	if m.Longest = 0; m.harm() != m.LogE {
		t.Error("a function whose calls end in time is judged as ever")
	}
}

// A window is counted again once, when all in it has ended, and given up where no
// answer comes for five minutes; what is of an earlier stage passes none.
func TestSettling(t *testing.T) {
	const longest = 3 * time.Minute
	in := Setting{Among: 1, Weight: 10, Longest: longest, Steady: true}
	known := func(n, k int64) providers.Sample { return providers.Sample{Known: true, Calls: n, Errors: k} }
	var e Evidence
	count := func(minute int, again ...Again) {
		in.Now = windowAt(minute).To.Add(90 * time.Second)
		e.Count(Look{Ref: fn("a"), Window: windowAt(minute), Canary: known(60, 0), Baseline: known(540, 0), Again: again}, in, usual)
	}
	in.Longest = 0
	if count(-1); e.Settled.Seen != (time.Time{}) || e.Settled.Split != (Split{}) {
		t.Errorf("kept where every call is told in time: %+v", e.Settled)
	}
	in.Longest = longest
	for minute := range 3 {
		count(minute)
	}
	in.Now = windowAt(0).To.Add(longest + settling)
	if due := e.Settled.Due(longest, in.Now); len(due) != 1 || due[0] != windowAt(0) {
		t.Fatalf("due: %v", due)
	}
	if n, until := e.Settled.Awaited(longest, in.Now); n != 3 || !until.Equal(windowAt(2).To.Add(longest+settling)) {
		t.Errorf("%d minutes are awaited until %s", n, until)
	}
	first := Again{windowAt(0), known(66, 6), known(540, 0)}
	count(3, first, Again{windowAt(1), known(66, 6), known(540, 0)}) // half a minute too soon for both
	if e.Settled.Canary.Calls != 0 {
		t.Fatalf("counted before its time: %+v", e.Settled.Canary)
	}
	count(4, first, first)
	count(5, first, Again{windowAt(1), known(66, 6), providers.Sample{}})
	if e.Settled.Canary != (Counts{Calls: 66, Errors: 6}) || e.Settled.Staged.Calls != 66 {
		t.Errorf("%+v, of this stage %+v", e.Settled.Canary, e.Settled.Staged)
	}
	before := e.Settled.Open
	e.NextStage()
	if before[0].Earlier || !e.Settled.Open[0].Earlier {
		t.Error("a list that was there is written to")
	}
	count(6, Again{windowAt(1), known(66, 6), known(540, 0)})
	if e.Settled.Canary.Calls != 132 || e.Settled.Staged.Calls != 0 {
		t.Errorf("%+v, of this stage %+v", e.Settled.Canary, e.Settled.Staged)
	}
	for minute := 7; minute < 12; minute++ {
		count(minute)
	}
	if got := e.Settled.Open[0].Window; got != windowAt(3) {
		t.Errorf("the oldest that is asked for is %v", got)
	}
}

// A stage passes by what was told in time unless full minutes speak against it or
// successes are missing, and by full minutes alone though these are. Probes pass it
// no more easily. Each way has half of what is left to chance.
func TestWhatPassesWhereCallsRunLong(t *testing.T) {
	enough := -math.Log((1 - usual.Confidence) / 2)
	good, less := Test{Staged: Counts{Calls: 500}, LogSafe: enough}, Test{Staged: Counts{Calls: 500}, LogSafe: enough - 0.01}
	bad := good
	bad.LogE = 0.01
	for name, c := range map[string]struct {
		told, full Test
		split      float64
		passes     bool
	}{
		"told in time":                     {good, Test{}, 0, true},
		"told in time, hardly":             {less, Test{}, 0, false},
		"full minutes":                     {Test{}, good, 0, true},
		"full minutes, hardly":             {Test{}, less, 0, false},
		"full minutes against it":          {good, bad, 0, false},
		"successes are missing":            {good, Test{}, 0.01, false},
		"missing, and full minutes for it": {good, good, 0.01, true},
	} {
		m := Arm{Ref: fn("a"), Stable: "1", New: "2", Weight: 10, Longest: time.Minute}
		m.Test, m.Settled.Test, m.Settled.Split.LogE = c.told, c.full, c.split
		if j := Judge([]Arm{m}, usual); (j.Verdict == Pass) != c.passes {
			t.Errorf("%s: %s, %s", name, j.Verdict, j.Reason)
		}
		m.Probed, m.Answered = true, noon
		m.Probe = Probe{Test: Test{Staged: Counts{Calls: 500}, LogSafe: 10}, Enough: noon}
		m.Test = Test{}
		if j := Judge([]Arm{m}, usual); (j.Verdict == Pass) != (m.against() == "" || c.passes && c.full.LogSafe >= enough+math.Ln2) {
			t.Errorf("%s, probed: %s, %s", name, j.Verdict, j.Reason)
		}
		if m.Longest = 0; m.against() != "" {
			t.Errorf("%s: counts of calls that run long are heard where none does", name)
		}
	}
}

// A baseline of which a quarter hung is red at full traffic too, though all that was told
// of it in time is well.
func TestABaselineThatHangsIsRed(t *testing.T) {
	m := Arm{Ref: fn("a"), Stable: "1", New: "2", Weight: 100, Longest: time.Minute}
	m.Solo, m.Baseline = Counts{Calls: 6, Errors: 6}, Counts{Calls: 300}
	if m.collapsed(usual) == "" {
		t.Error("six of six fail, beside a baseline that was well")
	}
	if m.Settled.Baseline = (Counts{Calls: 400, Errors: 100}); m.collapsed(usual) != "" {
		t.Error("a quarter of the baseline's calls hung")
	}
}
