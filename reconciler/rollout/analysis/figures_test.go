package analysis

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/analysis.md anew (with -bench .)")

const page = "../../../docs/analysis.md"

// cell is one kind of release: its traffic, and how much worse it is.
type cell struct {
	perMinute int64
	base      float64
	worse     float64 // 1: identical
}

func cells() []cell {
	var out []cell
	for _, worse := range []float64{1, 2, 5, 10} {
		for _, base := range []float64{0.001, 0.01, 0.05} {
			for _, perMinute := range []int64{60, 600, 6000} {
				out = append(out, cell{perMinute, base, worse})
			}
		}
	}
	return out
}

// outcome is how a rule did in one cell.
type outcome struct {
	share  float64 // rolled back within the hour
	median int     // minutes, of those rolled back
}

// alarmed is what many have: one minute with more than one failure in twenty.
func alarmed(look Look) bool {
	c := counts(look.Canary)
	return float64(c.Failures()) > 0.05*float64(c.Trials())
}

// zTest asks the two-proportion z-test at 1% about everything so far.
func zTest(e Evidence) bool {
	c, b := e.Canary, e.Baseline
	nc, nb := float64(c.Trials()), float64(b.Trials())
	p := float64(c.Failures()+b.Failures()) / (nc + nb)
	return (float64(c.Failures())/nc-float64(b.Failures())/nb)/math.Sqrt(p*(1-p)*(1/nc+1/nb)) > 2.326
}

// play gives three rules the same hours: ours, the z-test, and the alarm.
func (c cell) play(r *rand.Rand, runs int) [3]outcome {
	tr := trial{perMinute: c.perMinute, baseline: c.base, canary: c.base * c.worse, weight: 10}
	var when [3][]int
	for range runs {
		s, done := tr.state(), [3]bool{}
		for minute := 1; minute <= 60 && done != [3]bool{true, true, true}; minute++ {
			looks := tr.looks(r, s, minute)
			s.learn(looks)
			for i, fails := range [3]bool{Harm(s.arms, s.rules) != "", zTest(s.arms[0].Evidence), alarmed(looks[0])} {
				if fails && !done[i] {
					done[i], when[i] = true, append(when[i], minute)
				}
			}
		}
	}
	var out [3]outcome
	for i, w := range when {
		slices.Sort(w)
		if out[i].share = float64(len(w)) / float64(runs); len(w) > 0 {
			out[i].median = w[len(w)/2]
		}
	}
	return out
}

func (o outcome) String() string {
	if o.median == 0 {
		return "0.0 %"
	}
	return fmt.Sprintf("%.1f %%, %d min", 100*o.share, o.median)
}

func (c cell) String() string {
	kind := "the same"
	if c.worse > 1 {
		kind = fmt.Sprintf("%.0f× as bad", c.worse)
	}
	return fmt.Sprintf("%s | %.1f %% | %d", kind, 100*c.base, c.perMinute)
}

// row is a line of a table in docs: its first columns, and how the rules did in
// so many runs, ours first.
type row struct {
	name string
	same bool // a rollback is a false one
	play func(r *rand.Rand, runs int) []outcome
}

// figures are a table of docs.
type figures struct {
	head string
	runs int
	few  int // runs of the test that holds docs against the code
	rows []row
}

func (f figures) table() string {
	var out strings.Builder
	out.WriteString(f.head)
	for i, row := range f.rows {
		out.WriteString("| " + row.name)
		for _, o := range row.play(seeded(uint64(100+i)), f.runs) {
			out.WriteString(" | " + o.String())
		}
		out.WriteString(" |\n")
	}
	return out.String()
}

// canaries: calls fail.
func canaries() figures {
	f := figures{runs: 2000, few: 60,
		head: "| New version | Baseline fails | Calls a minute | Mooring | z-test each minute | Alarm at 5 % |\n|---|---|---|---|---|---|\n"}
	for _, c := range cells() {
		f.rows = append(f.rows, row{c.String(), c.worse == 1, func(r *rand.Rand, runs int) []outcome {
			got := c.play(r, runs)
			return got[:]
		}})
	}
	return f
}

// slowness: calls are slow.
func slowness() figures {
	f := figures{runs: 2000, few: 30, head: "| New version | Calls a minute | Mooring | z-test each minute |\n|---|---|---|---|\n"}
	for _, slower := range []float64{1, 1.25, 1.5, 2, 5} {
		for _, perMinute := range []int{60, 300, 600, 6000} {
			kind := fmt.Sprintf("%g× as slow", slower)
			switch slower {
			case 1:
				kind = "the same"
			case 1.25:
				kind = "1.25× as slow, as is allowed"
			}
			c := clocked{perMinute: perMinute, slower: slower}
			f.rows = append(f.rows, row{fmt.Sprintf("%s | %d", kind, perMinute), slower <= 1.25, func(r *rand.Rand, runs int) []outcome {
				var ours, theirs []int
				for range runs {
					minute, peeked := c.both(r)
					ours, theirs = append(ours, minute), append(theirs, peeked)
				}
				return []outcome{outcomeOf(ours), outcomeOf(theirs)}
			}})
		}
	}
	return f
}

// both is when our rule and the z-test fail one and the same hour.
func (c clocked) both(r *rand.Rand) (ours, theirs int) {
	m := Arm{Ref: fn("a"), Stable: "1", New: "2", Weight: 10}
	for minute := 1; minute <= 60 && (ours == 0 || theirs == 0); minute++ {
		m.Count(c.look(r, m, minute), Setting{Among: 1}, timed)
		if ours == 0 && tooSlow(m) {
			ours = minute
		}
		if theirs == 0 && peeksAtLatency(m) {
			theirs = minute
		}
	}
	return ours, theirs
}

// drills: nobody calls, and probes are all there is.
func drills() figures {
	f := figures{runs: 2000, few: 100, head: "| Probes of the new version fail | Beside it | Probes a minute | Mooring | Passes the stage |\n|---|---|---|---|---|\n"}
	for _, rates := range [][2]float64{{0, 0}, {0.01, 0.01}, {0.05, 0.05}, {0.05, 0.01}, {0.1, 0.01}, {0.2, 0.01}, {0.5, 0.01}, {1, 0.01}, {1, 0.5}} {
		for _, perMinute := range []int64{10, 60} {
			dr := drill{trial{weight: 10, minutes: 60}, perMinute, rates[0], rates[1]}
			name := fmt.Sprintf("%.0f %% | %.0f %% | %d", 100*rates[0], 100*rates[1], perMinute)
			f.rows = append(f.rows, row{name, rates[0] == rates[1], func(r *rand.Rand, runs int) []outcome {
				var back, passed []int
				for range runs {
					fails, passes := dr.hour(r)
					back, passed = append(back, fails), append(passed, passes)
				}
				return []outcome{outcomeOf(back), outcomeOf(passed)}
			}})
		}
	}
	return f
}

// hour is when the stage is failed, and when it first may be left; 0 for never.
func (dr drill) hour(r *rand.Rand) (fails, passes int) {
	s := dr.state()
	for minute := 1; minute <= dr.minutes; minute++ {
		dr.round(r, &s, minute)
		s.learn([]Look{silent(s.arms[0], minute)})
		switch s.judge(); {
		case s.Verdict == Fail:
			return minute, passes
		case s.Verdict == Pass && passes == 0:
			passes = minute
		}
	}
	return 0, passes
}

func outcomeOf(minutes []int) (o outcome) {
	when := slices.DeleteFunc(slices.Clone(minutes), func(m int) bool { return m == 0 })
	slices.Sort(when)
	if o.share = float64(len(when)) / float64(len(minutes)); len(when) > 0 {
		o.median = when[len(when)/2]
	}
	return o
}

// These print the tables of docs/analysis.md.
func BenchmarkCanaries(b *testing.B) { canaries().bench(b) }
func BenchmarkLatency(b *testing.B)  { slowness().bench(b) }
func BenchmarkProbes(b *testing.B)   { drills().bench(b) }
func BenchmarkReleases(b *testing.B) { ladders().bench(b) }

func (f figures) bench(b *testing.B) {
	var got string
	for b.Loop() {
		got = f.table()
	}
	fmt.Printf("\n%s\n", got) // a benchmark's log is cut short
	if !*update {
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		b.Fatal(err)
	}
	before, old, ok := strings.Cut(string(text), f.head)
	if !ok {
		b.Fatal("docs/analysis.md has no such table")
	}
	for strings.HasPrefix(old, "|") {
		_, old, _ = strings.Cut(old, "\n")
	}
	if err := os.WriteFile(page, []byte(before+got+old), 0o644); err != nil {
		b.Fatal(err)
	}
}

// The tables that stand in docs have every row, keep what they promise, and are
// what a smaller run with other draws comes to.
func TestTablesOfDocs(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]figures{"canaries": canaries(), "latency": slowness(), "probes": drills(), "releases": ladders(), "late": latecomers()} {
		_, table, ok := strings.Cut(string(text), f.head)
		if !ok {
			t.Errorf("docs have no table of %s", name)
			continue
		}
		for i, row := range f.rows {
			_, line, ok := strings.Cut(table, "| "+row.name+" | ")
			if !ok {
				t.Errorf("docs have no row for %s", row.name)
				continue
			}
			row.holds(t, line, row.play(seeded(uint64(1+i)), f.few)[0], f.few)
		}
	}
}

// holds compares what docs say with a run.
func (row row) holds(t *testing.T, line string, got outcome, runs int) {
	var said outcome
	if _, err := fmt.Sscanf(line, "%f %%, %d min", &said.share, &said.median); err != nil && !strings.HasPrefix(line, "0.0 %") {
		t.Errorf("%s: %v", row.name, err)
	}
	said.share /= 100
	if row.same && said.share > 0.01 {
		t.Errorf("%s: %.2f%% false rollbacks in docs", row.name, 100*said.share)
	}
	if spread := 4*math.Sqrt(said.share*(1-said.share)/float64(runs)) + 2/float64(runs); math.Abs(got.share-said.share) > spread {
		t.Errorf("%s: rolled back %.1f%% of the time, docs say %.1f%%", row.name, 100*got.share, 100*said.share)
	}
	if said.share > 0.5 && (2*got.median < said.median-2 || got.median > 2*said.median+2) {
		t.Errorf("%s: after %d minutes, docs say %d", row.name, got.median, said.median)
	}
}
