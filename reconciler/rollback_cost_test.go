package reconciler

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/web"
)

// tenCost is how many functions go back in the figures.
const tenCost = 10

// costing is a production whose ten functions are in the first stage of a
// canary, again and again.
type costing struct {
	*simulation
	ops  []string
	when []time.Time // of each
	n    int
}

func newCosting(tb testing.TB) *costing {
	c := &costing{}
	c.simulation = newSimulation(1, memory.Options{}, mutant{provider: func(t *tapped) providers.Provider { return listed{t, &c.ops, &c.when} }}, "production")
	c.declare()
	c.restart()
	settled(tb, c.simulation)
	return c
}

// declare releases the next code to all of them.
func (c *costing) declare() {
	c.n++
	files := map[string]string{}
	for i := range tenCost {
		name := fmt.Sprintf("f%d", i)
		c.platform.SetTraffic("production-"+name, memory.Traffic{PerSecond: 100})
		files[name+".yaml"] = functionYAML(name, code(c.n)) + "  role: {arn: \"arn:aws:iam::111111111111:role/f\"}\n"
	}
	c.repo.commit("env/production", files)
}

// canary brings the next release to its first stage.
func (c *costing) canary(tb testing.TB) {
	tb.Helper()
	c.declare()
	if !c.until(time.Hour, func() bool { return c.watch.environment("production").Rollout.Reached }) {
		tb.Fatalf("no canary: %v", c.open())
	}
}

// resume lifts what a rollback left.
func (c *costing) resume() {
	for _, h := range c.watch.environment("production").Holds {
		must(c.ask("production", func(ctx context.Context, d *Daemon) error {
			return d.Resume(ctx, web.ResumeRequest{Environment: "production", Hold: h.ID, By: access.Stated("ann")})
		}))
	}
}

// goBack makes the pass that takes traffic back, and tells what was asked since
// the last question for metrics, or the pass's beginning, up to the last alias,
// and how long that took in real time.
func (c *costing) goBack() (reads, writes int, took time.Duration) {
	c.ops, c.when = nil, nil
	began := time.Now()
	c.pass("production")
	if at := lastOp(c.ops, "measure"); at >= 0 {
		began, c.ops, c.when = c.when[at], c.ops[at+1:], c.when[at+1:]
	}
	last := lastOp(c.ops, "route ")
	if last < 0 {
		return 0, 0, 0
	}
	took = c.when[last].Sub(began)
	for _, op := range c.ops[:last+1] {
		if strings.HasPrefix(op, "route ") {
			writes++
		} else {
			reads++
		}
	}
	return reads, writes, took
}

// lastOp is the place of the newest of these, or -1.
func lastOp(ops []string, prefix string) int {
	for i, op := range slices.Backward(ops) {
		if strings.HasPrefix(op, prefix) {
			return i
		}
	}
	return -1
}

// aWord is a person's, aVerdict that of a look in which every call of the new
// versions failed.
func aWord(c *costing) { must(c.back("")) }

func aVerdict(c *costing) {
	c.platform.SetErrors(code(c.n), 1)
	c.real = c.real.Add(10 * time.Second)
}

var waysBack = []struct {
	name    string
	because func(*costing)
	reads   int // a function
	read    string
	from    string // where its time begins, if it has to be said
}{
	{"a verdict, a check or an alarm in a look", aVerdict, 0, "none", " from the question for metrics on, the analysis included"},
	{"a person's word", aWord, 1, "one `GetAlias` a function, for the guard of the write", ""},
}

// backRow is the line of docs/operations.md, as far as it is the same on every
// machine.
func backRow(name, read string) string {
	return fmt.Sprintf("| %s | %s | one `UpdateAlias` a function, four at a time |", name, read)
}

// Traffic goes back by one write a function, and what is asked before it is what
// docs say: nothing after a verdict, the aliases after a person's word.
func TestCostOfARollback(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range waysBack {
		c := newCosting(t)
		c.canary(t)
		r.because(c)
		reads, writes, _ := c.goBack()
		if reads != r.reads*tenCost || writes != tenCost {
			t.Errorf("%s: %d reads and %d writes of %d functions: %v", r.name, reads, writes, tenCost, c.ops)
		}
		if !strings.Contains(string(text), backRow(r.name, r.read)) {
			t.Errorf("docs/operations.md has no row %q", backRow(r.name, r.read))
		}
		for i := range tenCost {
			if got := c.platform.Routing(fmt.Sprintf("production-f%d", i), "live"); got.Weight != 0 {
				t.Errorf("%s: f%d is at %+v", r.name, i, got)
			}
		}
		sound(t, c.simulation)
	}
}

// BenchmarkRollback is from the question for metrics whose answer is a verdict, or
// from a person's word, in mid-canary, to the aliases of ten functions back at
// stable: what Mooring itself takes beside the platform's answers, and what it
// asks of it. It prints the table of docs/operations.md.
func BenchmarkRollback(b *testing.B) {
	table := "\n| from | reads | writes | Mooring's own time |\n|---|---|---|---|\n"
	for _, r := range waysBack {
		b.Run(strings.Trim(strings.Fields(r.name)[1], ",'s"), func(b *testing.B) {
			c := newCosting(b)
			reads, writes, took := 0, 0, time.Duration(0)
			for b.Loop() {
				c.canary(b)
				r.because(c)
				n, w, t := c.goBack()
				reads, writes, took = reads+n, writes+w, took+t
				c.resume()
			}
			b.ReportMetric(float64(writes)/float64(b.N*tenCost), "routings/function")
			b.ReportMetric(float64(reads)/float64(b.N*tenCost), "reads/function")
			mean := float64(took.Microseconds()) / 1000 / float64(b.N)
			b.ReportMetric(mean, "ms/rollback")
			if writes != b.N*tenCost {
				b.Fatalf("%d routings in %d rollbacks of %d functions", writes, b.N, tenCost)
			}
			table += fmt.Sprintf("%s %.1f ms%s |\n", backRow(r.name, r.read), mean, r.from)
		})
	}
	fmt.Print(table)
}
