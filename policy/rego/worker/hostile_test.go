package worker

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

// hostile are expressions that would take a machine with them: by time, by
// memory, by both, heeding a deadline or not.
var hostile = map[string]string{
	"range bomb":           `count([i | some i in numbers.range(1, 1000000000)]) < 0`,
	"cross product":        `count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i + j == 0]) > 0`,
	"set of everything":    `count({[i, j] | some i in numbers.range(1, 5000); some j in numbers.range(1, 5000)}) < 0`,
	"object of everything": `count({sprintf("%d", [i]): numbers.range(1, 1000) | some i in numbers.range(1, 10000000)}) < 0`,
	"doubling by concat":   doubling(`concat("", [s%d, s%d])`, `"xxxxxxxxxxxxxxxx"`, 40),
	"doubling by sprintf":  doubling(`sprintf("%%s%%s", [s%d, s%d])`, `"xxxxxxxxxxxxxxxx"`, 40),
	"doubling by replace":  doubling(`replace(s%d, "x", concat("", ["xx", substring(s%d, 0, 0)]))`, `"xxxxxxxxxxxxxxxx"`, 40),
	"doubling by array":    doubling(`array.concat(s%d, s%d)`, `["x", "x"]`, 40),
	"doubling by json":     doubling(`json.marshal([s%d, s%d])`, `"\""`, 40),
	"squares":              doubling(`s%d * s%d`, `12345678901234567890`, 40),
	"long division":        doubling(`s%d * s%d`, `7`, 21) + "\n\tcount([1 | some i in numbers.range(1, 1000000); s21 % (s20 + i) == 1]) > 0",
	"decimal of squares":   doubling(`s%d * s%d`, `7`, 27) + "\n\tcount(format_int(s27, 10)) == 5",
	"regex heavy":          `count([1 | some i in numbers.range(1, 1000000); regex.match("^(a|aa|aaa|aaaa)*b$", concat("", [j | some k in numbers.range(1, 5000); j := "a"]))]) > 0`,
	"json of everything":   `count(json.marshal([numbers.range(1, 3000) | some i in numbers.range(1, 30000)])) < 0`,
	"walk loops":           `count([1 | some a, b; walk(input, [a, x]); walk(input, [b, y]); some c; walk(input, [c, z]); some d; walk(input, [d, u]); [x, y, z, u] == [1, 2, 3, "no"]]) > 0`,
}

// doubling is an expression that applies step n times, each to what came out
// before twice.
func doubling(step, first string, n int) string {
	var b strings.Builder
	b.WriteString("s0 := " + first + "\n")
	for i := range n {
		before := strings.ReplaceAll(step, "%d", "#")
		line := strings.ReplaceAll(strings.ReplaceAll(before, "#", itoa(i)), "%%", "%")
		b.WriteString("\ts" + itoa(i+1) + " := " + line + "\n")
	}
	b.WriteString("\ts" + itoa(n) + " != s" + itoa(n-1))
	return b.String()
}

func itoa(i int) string {
	text, _ := json.Marshal(i) // an int always is JSON
	return string(text)
}

// Lessons 27 and 28: a rule without end, or without bounds, is ended within
// twice its deadline and closes its own decision under a name. Meanwhile the
// other environments decide as they did, this process does not grow, and the
// workers stay within their number and their memory.
func TestLesson27ARuleWithoutEndCostsItsOwnDecisionOnly(t *testing.T) {
	costsItsOwnDecisionOnly(t, func(name string) bool { return !grows(name) })
}

func TestLesson28AMemoryBombCostsItsOwnDecisionOnly(t *testing.T) {
	costsItsOwnDecisionOnly(t, grows)
}

// grows: a hostile policy is after memory more than after time.
func grows(name string) bool {
	return strings.HasPrefix(name, "doubling") || strings.Contains(name, "squares") || strings.Contains(name, "everything")
}

func costsItsOwnDecisionOnly(t *testing.T, means func(name string) bool) {
	kernelLimited(t)
	const memory = 128 << 20
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		if !means(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var losses []Loss
			pool := newPool(t, Options{Memory: memory, Workers: 2, Evaluator: slow, Notice: func(l Loss) {
				mu.Lock()
				defer mu.Unlock()
				losses = append(losses, l)
			}})
			p := load(t, pool, hostileIn("production", hostile[name]))
			warm(t, p, 2)
			before := resident(t)
			bad := make(chan time.Duration)
			go func() {
				began := time.Now()
				d, err := ask(t, p, policy.Admission, question("production"))
				took := time.Since(began)
				if d.Outcome != policy.Error || !errors.Is(err, rego.ErrLate) && !errors.Is(err, rego.ErrMemory) && !errors.Is(err, rego.ErrCrashed) {
					t.Errorf("%s, %v", d.Outcome, err)
				}
				if len(d.Findings) == 0 || d.Findings[0].Code != "policy_error" || d.Findings[0].Details == nil {
					t.Errorf("findings %+v", d.Findings)
				}
				t.Logf("%.150v after %v", err, took.Round(time.Millisecond))
				bad <- took
			}()
			good := 0
			for done := false; !done; {
				select {
				case took := <-bad:
					done = true
					if took > 2*slow.DecisionDeadline+3*time.Second { // the rest is for a busy machine
						t.Errorf("it took %v", took)
					}
				default:
					if d, err := ask(t, p, policy.Admission, question("staging")); err != nil || d.Outcome != policy.Allow {
						t.Fatalf("another environment: %s, %v", d.Outcome, err)
					}
					good++
				}
			}
			if good < 5 {
				t.Errorf("only %d decisions were made meanwhile", good)
			}
			if d, err := ask(t, p, policy.Admission, question("staging")); err != nil || d.Outcome != policy.Allow {
				t.Errorf("the next decision: %s, %v", d.Outcome, err)
			}
			if after := resident(t); after > before+128<<20 {
				t.Errorf("this process grew from %d to %d MiB", before>>20, after>>20)
			}
			if s := pool.Stats(); s.Alive > 3 {
				t.Errorf("%d workers", s.Alive)
			}
			pool.Close()
			if peak := childrenPeak(t); peak > memory+128<<20 {
				t.Errorf("a worker took %d MiB", peak>>20)
			}
			mu.Lock()
			defer mu.Unlock()
			t.Logf("%d decisions meanwhile, losses %v", good, losses)
		})
	}
}

// slow are deadlines that leave room for more than time to run out of.
var slow = rego.EvaluatorOptions{PackageDeadline: time.Second, DecisionDeadline: 1300 * time.Millisecond}

// warm has n workers loaded.
func warm(t testing.TB, p *Policies, n int) {
	t.Helper()
	var procs []*process
	for range n {
		proc, err := p.worker(t.Context(), p.pool.regular)
		if err != nil {
			t.Fatal(err)
		}
		procs = append(procs, proc)
	}
	for _, proc := range procs {
		p.pool.regular.give(proc)
	}
}

// A hostile test, or a policy hostile to the compiler, costs its activation
// only.
func TestHostileActivation(t *testing.T) {
	kernelLimited(t)
	for name, files := range map[string]map[string]string{
		"a test without end": {
			"admission/x.rego":      "package policy.admission.x\n\n" + yes,
			"admission/x_test.rego": "package policy.admission.x_test\n\ntest_x if count([1 | some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i + j == 0]) > 0\n",
		},
		"a test without bounds": {
			"admission/x.rego":      "package policy.admission.x\n\n" + yes,
			"admission/x_test.rego": "package policy.admission.x_test\n\ntest_x if {\n\t" + hostile["doubling by array"] + "\n}\n",
		},
		"a test that heeds nothing": {
			"admission/x.rego":      "package policy.admission.x\n\n" + yes,
			"admission/x_test.rego": "package policy.admission.x_test\n\ntest_x if {\n\t" + hostile["squares"] + "\n}\n",
		},
		"deep nesting": {
			"admission/x.rego": "package policy.admission.x\n\n" + yes + "warn contains \"x\" if " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + " == 1\n",
		},
		"deep data": {
			"admission/x.rego": "package policy.admission.x\n\n" + yes,
			"data/deep.json":   strings.Repeat(`[`, 400_000) + strings.Repeat(`]`, 400_000),
		},
		"an alias bomb": {
			"admission/x.rego": "package policy.admission.x\n\n" + yes,
			"data/bomb.yaml":   aliases(30),
		},
	} {
		t.Run(name, func(t *testing.T) {
			pool := newPool(t, Options{Memory: 192 << 20, Evaluator: quick, Load: rego.LoadOptions{TestDeadline: 300 * time.Millisecond, SuiteDeadline: time.Second}})
			first := load(t, pool, admission("before", yes))
			before := resident(t)
			_, err := pool.Load(context.Background(), folder(files), "r2")
			if err == nil {
				t.Fatal("it was activated")
			}
			t.Logf("%.300v", err)
			if _, again := pool.Load(context.Background(), folder(files), "r3"); again == nil || again.Error() != err.Error() {
				t.Errorf("the second time: %v", again)
			}
			if s := pool.Stats(); s.Started != 2 {
				t.Errorf("%d workers were started for two activations", s.Started)
			}
			if d, err := ask(t, first, policy.Admission, question("staging")); err != nil || d.Outcome != policy.Allow {
				t.Errorf("the policies before: %s, %v", d.Outcome, err)
			}
			if after := resident(t); after > before+128<<20 {
				t.Errorf("this process grew from %d to %d MiB", before>>20, after>>20)
			}
		})
	}
}

// aliases is YAML whose meaning is 10^n items.
func aliases(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range n {
		ref := "*a" + itoa(i)
		b.WriteString("a" + itoa(i+1) + ": &a" + itoa(i+1) + " [" + strings.TrimSuffix(strings.Repeat(ref+",", 10), ",") + "]\n")
	}
	return b.String()
}
