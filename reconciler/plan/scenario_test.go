package plan

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"mooring.dev/providers"
	"mooring.dev/providers/memory"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

var update = flag.Bool("update", false, "write what the scenarios show instead of comparing")

// TestScenarios plays testdata/*.txtar. Each has a script and what it shows:
//
//	release vN [without FILE…]      make the base, with the files below vN/, the target, and start
//	converge                        passes until nothing moves
//	pass [n], look, learn           a whole pass, a look that is forgotten, one that is remembered
//	hand WHO set|unset|add|remove|point|publish|own|explain|fail NAME …
//	cloud settle|activate|stale D, partial on|off, fail REF, heal REF
//	phase P [weight], back, hold REF|all WHY, approve, observe, decide PATH RESPONSE, rounds PATH N, park REF
//
// look and learn print the plan; everything else prints nothing.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatalf("want at least 25 scenarios, found %d (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ar := txtar.Parse(data)
	var script string
	want := -1
	for i, f := range ar.Files {
		switch f.Name {
		case "script":
			script = string(f.Data)
		case "shows":
			want = i
		}
	}
	a := &actor{t: t, ar: ar, shop: newShop(cloud(t, script))}
	if err := a.shop.platform.Manual("setup").Add(memory.Name{Kind: manifest.KindSecret, Physical: "shop/stripe"}, nil); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(script, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			a.do(line)
		}
	}
	got := a.out.String()
	if *update {
		if want < 0 {
			ar.Files = append(ar.Files, txtar.File{Name: "shows"})
			want = len(ar.Files) - 1
		}
		ar.Files[want].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want < 0 || string(ar.Files[want].Data) != got {
		t.Errorf("%s shows:\n%s", file, got)
	}
}

// cloud reads the lines that say how awkward the platform is.
func cloud(t *testing.T, script string) memory.Options {
	var o memory.Options
	for _, line := range strings.Split(script, "\n") {
		w := strings.Fields(line)
		if len(w) < 3 || w[0] != "cloud" {
			continue
		}
		d, err := time.ParseDuration(w[2])
		if err != nil {
			t.Fatal(err)
		}
		switch w[1] {
		case "settle":
			o.Settle = d
		case "activate":
			o.Activate = d
		case "stale":
			o.Stale = d
		}
	}
	return o
}

// actor carries out a script.
type actor struct {
	t    *testing.T
	ar   *txtar.Archive
	shop *shop
	out  strings.Builder
}

func (a *actor) do(line string) {
	a.t.Helper()
	w := strings.Fields(line)
	s := a.shop
	switch w[0] {
	case "release":
		a.release(w[1:])
	case "converge":
		s.converge(a.t)
	case "pass":
		a.passes(w[1:])
	case "look", "learn":
		p := s.look()
		fmt.Fprintf(&a.out, "> %s (%s)\n%s", line, or(string(s.in.Rollout.Phase)), show(p))
		if w[0] == "learn" {
			s.learn(p)
			s.decide()
		}
	case "hand":
		a.hand(w[1:])
	case "cloud": // read before everything
	case "partial":
		s.partial = w[1] == "on"
	case "fail":
		s.failing[ref(w[1])] = true
	case "heal":
		delete(s.failing, ref(w[1]))
	case "phase":
		a.phase(w[1:])
	case "reached": // the weight was seen in place
		s.in.Rollout.Reached = true
	case "back":
		s.in.Rollout.Phase, s.in.Rollout.Weight = rollout.Back, 0
		s.in.Previous, s.in.Target = s.in.Target, s.in.Previous
	case "hold":
		a.hold(w[1:])
	case "approve":
		s.in.Approved = true
	case "observe":
		s.in.Observing = true
	case "drift":
		s.in.Environment.Drift.Response = w[1]
	case "decide", "rounds":
		a.decide(w)
	case "park":
		a.park(ref(w[1]))
	default:
		a.t.Fatalf("unknown command %q", line)
	}
}

func (a *actor) release(w []string) {
	files := base(a.t)
	for _, f := range a.ar.Files {
		if name, ok := strings.CutPrefix(f.Name, w[0]+"/"); ok {
			files[name] = string(f.Data)
		}
	}
	if len(w) > 1 {
		for _, name := range w[2:] {
			delete(files, name)
		}
	}
	a.shop.target(render(a.t, files, w[0]))
}

func (a *actor) passes(w []string) {
	n := 1
	if len(w) > 0 {
		n, _ = strconv.Atoi(w[0])
	}
	for range n {
		if _, err := a.shop.pass(); err != nil {
			a.t.Logf("pass: %v", err)
		}
	}
}

func (a *actor) hand(w []string) {
	h := a.shop.platform.Manual(w[0])
	if w[0] == "service" {
		h = a.shop.platform.Service(w[0])
	}
	var err error
	name := a.shop.name(ref(w[2]))
	switch w[1] {
	case "set":
		err = h.Set(name, w[3], w[4])
	case "unset":
		err = h.Unset(name, w[3])
	case "remove":
		err = h.Remove(name)
	case "explain":
		err = h.Explain(name, strings.Join(w[3:], " "))
	case "fail":
		err = h.Fail(name, strings.Join(w[3:], " "))
	case "fail-at":
		err = h.FailAt(name, w[3], strings.Join(w[4:], " "))
	case "address":
		err = h.Address(name, w[3], w[4])
	case "own":
		err = h.Own(name, owned4(w[3:]))
	case "add":
		fields := map[string]string{}
		for _, kv := range w[3:] {
			k, v, _ := strings.Cut(kv, "=")
			fields[k] = v
		}
		err = h.Add(name, fields)
	case "publish":
		err = h.Publish(name)
	case "point":
		to := providers.Routing{Version: w[3]}
		if len(w) > 4 {
			n, _ := strconv.Atoi(w[5])
			to.Canary, to.Weight = w[4], providers.Percent(n)
		}
		err = h.PointAt(name, to)
	default:
		a.t.Fatalf("unknown hand %v", w)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

func owned4(w []string) providers.Owner {
	if w[0] == "nobody" {
		return providers.Owner{}
	}
	return providers.Owner{Pipeline: w[0], Environment: w[1], Resource: w[2]}
}

func (a *actor) phase(w []string) {
	r := &a.shop.in.Rollout
	r.Phase = rollout.Phase(w[0])
	if len(w) > 1 {
		r.Weight, _ = strconv.Atoi(w[1])
	}
	if r.Phase != rollout.Expand {
		in := a.shop.input()
		for i, f := range r.Functions {
			if v, ok := Carrier(in.Inventory.Live[f.Ref], in.Specs[f.Ref]); ok {
				r.Functions[i].New = v.Number
			}
		}
	}
}

func (a *actor) hold(w []string) {
	h := record.Hold{ID: "h", Owner: "alice", Kind: "manual", Reason: strings.Join(w[1:], " "), Until: a.shop.now.Add(100 * time.Hour)}
	if w[0] != "all" {
		h.Scope.Ref = ref(w[0])
	}
	a.shop.in.Holds = append(a.shop.in.Holds, h)
}

// decide sets what policy said about an item, or how often it was reverted.
func (a *actor) decide(w []string) {
	for id, item := range a.shop.in.Items {
		if item.Path != w[1] && item.Ref.String() != w[1] {
			continue
		}
		if w[0] == "rounds" {
			item.Rounds, _ = strconv.Atoi(w[2])
		} else {
			item.Response, item.Policy = record.Response(w[2]), true
		}
		a.shop.in.Items[id] = item
		return
	}
	a.t.Fatalf("no item %s", w[1])
}

// park says of the step a resource would get now that it failed for good.
func (a *actor) park(r manifest.Ref) {
	for _, s := range Make(a.shop.input()).Steps {
		if s.Ref == r {
			a.shop.in.Parked[r] = record.Outcome{Ref: r, Kind: "denied", Error: "not allowed to", Input: s.Input()}
			return
		}
	}
	a.t.Fatalf("%s gets no step", r)
}
