package reconciler

import (
	"context"
	"encoding/json"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring.dev/policy"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
)

// questions are what policy was last asked, by environment and point; about
// alerts by each of them.
type questions map[string]policy.Input

func (q questions) about(env string, p policy.Point) policy.Input { return q[env+"/"+string(p)] }

// eavesdropper remembers questions.
type eavesdropper struct {
	policy.Evaluator
	heard questions
}

func (l eavesdropper) Evaluate(ctx context.Context, p policy.Point, in policy.Input) (policy.Decision, error) {
	in = in.Complete(p)
	l.heard[in.Environment.Name+"/"+string(p)] = in
	if in.NotifyFacts != nil {
		l.heard[in.Event.Fingerprint] = in
	}
	return l.Evaluator.Evaluate(ctx, p, in)
}

// listen starts the daemon again with somebody listening to its questions.
func (s *simulation) listen(t *testing.T) questions {
	t.Helper()
	last := questions{}
	o := s.options()
	load := o.Policies
	o.Policies = func(tree fs.FS, revision string) (policy.Evaluator, error) {
		e, err := load(tree, revision)
		return eavesdropper{e, last}, err
	}
	s.startWith(t, o)
	return last
}

func (s *simulation) input(env string, p policy.Point) (doc json.RawMessage, err error) {
	err = s.ask(env, func(ctx context.Context, d *Daemon) error {
		doc, err = d.Input(ctx, env, web.InputQuery{Point: string(p)})
		return err
	})
	return doc, err
}

// asDocument is an input as JSON, without what is another at each asking.
func asDocument(t *testing.T, in any) map[string]any {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	request, source := doc["request"].(map[string]any), doc["source"].(map[string]any)
	delete(request, "id")
	delete(request, "time_ns")
	delete(request, "trigger")
	delete(source, "age_seconds")
	if ro, ok := doc["rollout"].(map[string]any); ok {
		delete(ro, "elapsed_seconds") // the pass that asked counted on
		delete(ro, "functions")
		delete(doc, "metrics")
	}
	return doc
}

func (s *simulation) same(t *testing.T, env string, p policy.Point, asked policy.Input) {
	t.Helper()
	doc, err := s.input(env, p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asDocument(t, asked), asDocument(t, doc)); diff != "" {
		t.Errorf("%s: asked (-), shown (+):\n%s", p, diff)
	}
}

// What `policy input` shows is what policy is asked: the same document from
// the same code.
func TestInputIsWhatPolicyIsAsked(t *testing.T) {
	s := begin(t, memory.Options{}, mutant{}, "staging", "production")
	last := s.listen(t)
	settled(t, s)

	// A rollout, while it moves.
	clear(last)
	k := firstContent()
	k.checkout = code(9)
	s.repo.commit("env/staging", k.files())
	moving := func() bool { // and policy was asked about more than the first stage to come
		asked := last.about("staging", policy.Rollout).RolloutFacts
		return s.watch.environment("staging").Rollout.Phase == rollout.Shift && asked != nil && asked.Rollout.Stage > 0
	}
	if !s.until(time.Hour, moving) {
		t.Fatal("nothing moves")
	}
	s.same(t, "staging", policy.Rollout, last.about("staging", policy.Rollout))
	settled(t, s)

	// What a plan asks at admission.
	if err := s.ask("staging", func(ctx context.Context, d *Daemon) error {
		_, err := d.Plan(ctx, "staging")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	s.same(t, "staging", policy.Admission, last.about("staging", policy.Admission))

	// Drift, and the alert about it.
	if err := s.platform.Manual("oncall").Set(s.function("staging", "checkout"), "timeout", "60"); err != nil {
		t.Fatal(err)
	}
	if !s.until(time.Hour, func() bool {
		return last.about("staging", policy.Drift).DriftFacts != nil && s.alerts("drift", "firing") > 0
	}) {
		t.Fatal("no drift is seen")
	}
	s.same(t, "staging", policy.Drift, last.about("staging", policy.Drift))
	doc, err := s.input("staging", policy.Notify)
	if err != nil {
		t.Fatal(err)
	}
	shown := asDocument(t, doc)
	fingerprint := shown["event"].(map[string]any)["fingerprint"].(string)
	if diff := cmp.Diff(asDocument(t, last[fingerprint]), shown); diff != "" {
		t.Errorf("notify: asked (-), shown (+):\n%s", diff)
	}
	if _, err := s.input("staging", policy.Rollout); err == nil {
		t.Error("a rollout is shown where nothing moves")
	}
	if _, err := s.input("staging", "promotoin"); err == nil {
		t.Error("an unknown point is taken")
	}
	sound(t, s)
}

func TestInputOfAPromotionThatWaits(t *testing.T) {
	s := guarded(t, promotionFolder)
	last := questions{}
	o := s.options()
	o.Policies = func(tree fs.FS, revision string) (policy.Evaluator, error) {
		e, err := regoPolicies(tree, revision)
		return eavesdropper{e, last}, err
	}
	o.Closed = closedRego
	s.startWith(t, o)
	if !s.until(time.Hour, func() bool { return last.about("production", policy.Promotion).PromotionFacts != nil && s.asks() }) {
		t.Fatal("nothing waits")
	}
	s.same(t, "production", policy.Promotion, last.about("production", policy.Promotion))
	if _, err := s.input("staging", policy.Promotion); err == nil {
		t.Error("a promotion is shown where nothing comes before")
	}
}

// Decision records come a page at a time, whole and in order: their chain can
// be verified.
func TestDecisionsArePaged(t *testing.T) {
	s := guarded(t, promotionFolder)
	s.run(time.Minute)
	var chain []journal.Decision
	q := journal.DecisionQuery{Limit: 1}
	for {
		page, err := s.d.Decisions(t.Context(), q)
		if err != nil || len(page.Decisions) > 1 {
			t.Fatalf("%d decisions, %v", len(page.Decisions), err)
		}
		for _, d := range page.Decisions {
			chain = append(chain, journal.Decision{Line: []byte(d.Line), Hash: d.Hash})
		}
		if q.After = page.Next; page.Next == 0 {
			break
		}
	}
	if len(chain) < 2 {
		t.Fatalf("%d decisions", len(chain))
	}
	if _, err := journal.VerifyChain("", func(yield func(journal.Decision) bool) {
		for _, d := range chain {
			if !yield(d) {
				return
			}
		}
	}); err != nil {
		t.Error(err)
	}
	all, err := s.d.Decisions(t.Context(), journal.DecisionQuery{})
	if err != nil || len(all.Decisions) != len(chain) || all.Next != 0 {
		t.Errorf("all at once: %d, then %d, %v", len(all.Decisions), all.Next, err)
	}
	some, err := s.d.Decisions(t.Context(), journal.DecisionQuery{Point: "promotion", Environment: "production"})
	if err != nil || len(some.Decisions) == 0 || len(some.Decisions) >= len(chain) {
		t.Errorf("promotions: %d of %d, %v", len(some.Decisions), len(chain), err)
	}
	one, err := s.d.Decisions(t.Context(), journal.DecisionQuery{ID: s.watch.environment("production").Promotions[0].Decision})
	if err != nil || len(one.Decisions) != 1 || one.Next != 0 {
		t.Errorf("one: %+v, %v", one, err)
	}
	later, err := s.d.Decisions(t.Context(), journal.DecisionQuery{Since: s.real.Add(time.Hour)})
	if err != nil || len(later.Decisions) != 0 {
		t.Errorf("to come: %d, %v", len(later.Decisions), err)
	}
}
