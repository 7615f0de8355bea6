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

var update = flag.Bool("update", false, "write the table of docs/analysis.md anew (with -bench Canaries)")

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

const head = "| New version | Baseline fails | Calls a minute | Mooring | z-test each minute | Alarm at 5 % |\n|---|---|---|---|---|---|\n"

// table is the table of docs, 10% of the traffic on the new version.
func table(runs int) string {
	var out strings.Builder
	out.WriteString(head)
	for i, c := range cells() {
		got := c.play(seeded(uint64(100+i)), runs)
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", c, got[0], got[1], got[2])
	}
	return out.String()
}

// BenchmarkCanaries prints the table of docs/analysis.md: 2,000 simulated
// hours a row.
func BenchmarkCanaries(b *testing.B) {
	var got string
	for b.Loop() {
		got = table(2000)
	}
	fmt.Printf("\n%s\n", got) // a benchmark's log is cut short
	if !*update {
		return
	}
	text, err := os.ReadFile(page)
	if err != nil {
		b.Fatal(err)
	}
	before, old, ok := strings.Cut(string(text), head)
	if !ok {
		b.Fatal("docs/analysis.md has no table")
	}
	rest := old[strings.LastIndex(old, "|\n")+2:]
	if err := os.WriteFile(page, []byte(before+got+rest), 0o644); err != nil {
		b.Fatal(err)
	}
}

// The table that stands in docs has every row, keeps what it promises, and is
// what a smaller run with other draws comes to.
func TestTableOfDocs(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cells() {
		_, row, ok := strings.Cut(string(text), "| "+c.String()+" | ")
		if !ok {
			t.Errorf("docs have no row for %s", c)
			continue
		}
		var said outcome
		if _, err := fmt.Sscanf(row, "%f %%, %d min", &said.share, &said.median); err != nil && !strings.HasPrefix(row, "0.0 %") {
			t.Errorf("%s: %v", c, err)
		}
		said.share /= 100
		if c.worse == 1 && said.share > 0.01 {
			t.Errorf("%s: %.2f%% false rollbacks in docs", c, 100*said.share)
		}
		const runs = 60
		got := c.play(seeded(uint64(1+i)), runs)[0]
		if spread := 4*math.Sqrt(said.share*(1-said.share)/runs) + 2.0/runs; math.Abs(got.share-said.share) > spread {
			t.Errorf("%s: rolled back %.1f%% of the time, docs say %.1f%%", c, 100*got.share, 100*said.share)
		}
		if said.share > 0.5 && (2*got.median < said.median-2 || got.median > 2*said.median+2) {
			t.Errorf("%s: after %d minutes, docs say %d", c, got.median, said.median)
		}
	}
}
