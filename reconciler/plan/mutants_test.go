package plan

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var runMutants = flag.Bool("mutants", false, "build every mutant of the planner and see that a test catches it (minutes)")

// mutants are deliberate faults, one for each promise of the planner. Each
// must be caught by the scenarios, the promises or the road; the list is
// checked against the code in every run, so that it does not rot.
var mutants = []struct{ name, file, old, new string }{
	{"a failed question is taken for absence", "make.go", `if err := w.in.Inventory.Errors[ref]; err != nil {`, `if err := w.in.Inventory.Errors[ref]; err != nil && false {`},
	{"an incomplete listing is believed", "make.go", `absence: in.Inventory.Complete && in.Inventory.Errors[manifest.Ref{}] == nil,`, `absence: true,`},
	{"a rollback does everything at once", "make.go", `return w.phase() == rollout.Back && w.strayed`, `return false`},
	{"one look confirms", "items.go", `case !item.Confirmed():`, `case !item.Confirmed() && false:`},
	{"the same look counts twice", "items.go", `if item.SeenAt.After(before.SeenAt) {`, `if true {`},
	{"undecided drift is reverted", "items.go", `case item.Response == "" || response == "":`, `case item.Response == "" && response == "never":`},
	{"held drift is reverted", "items.go", `case item.Response != record.Revert:`, `case item.Response == record.Ignore:`},
	{"reverting never stops", "items.go", `if item.Rounds < limit || item.Decision == decidedByPerson {`, `if true {`},
	{"memory raised is put back", "drift.go", `if raised(d) {
			return holdHigh
		}`, `if false {
			return holdHigh
		}`},
	{"reserved concurrency 0 is raised", "drift.go", `if d.diff.inL && d.diff.l == "0" {`, `if d.diff.inL && d.diff.l == "no" {`},
	{"rights are taken away before traffic moved", "table.go", `case !d.inD:
		return narrows`, `case !d.inD:
		return widens`},
	{"limits are lowered before traffic moved", "table.go", `	case want > live:
		return widens
	}
	return narrows`, `	case want > live:
		return widens
	}
	return widens`},
	{"steps carry no guard", "steps.go", `Resource: *l.res, Bindings: w.bindings(l.res), Guard: l.live.Guard,`, `Resource: *l.res, Bindings: w.bindings(l.res),`},
	{"holds stop nothing", "steps.go", `case !back && w.held(ref):`, `case false && w.held(ref):`},
	{"holds stop a rollback", "steps.go", `case !back && w.held(ref):`, `case w.held(ref):`},
	{"suspension stops nothing", "steps.go", `case w.in.Observing && !back:`, `case false && !back:`},
	{"what failed for good is tried again", "steps.go", `s.Operation == Route) && parked.Input == s.Input() {`, `s.Operation == Route) && parked.Input == "never" {`},
	{"one listing is enough to delete", "removal.go", `if w.in.Surveys < 2 || !w.absence {`, `if w.in.Surveys < 1 || !w.absence {`},
	{"tags are not read before deleting", "removal.go", `case !w.owns(r.live.Owner) || r.live.Owner.Resource != r.ref.String():`, `case false:`},
	{"nothing guards deletions", "removal.go", `case w.in.Approved || len(refs) == 0 && stateful == "":`, `case true:`},
	{"removal comes before the contract phase", "removal.go", `if upto, works := reach(w.phase()); !works || upto < narrows {`, `if upto, works := reach(w.phase()); !works && upto < narrows {`},
	{"another pipeline's resource is written", "owner.go", `case !w.owns(owner):`, `case false:`},
	{"what nobody owns is taken over silently", "owner.go", `l.live.Owner == (providers.Owner{}) && (l.res.Adopt || w.in.Approved)`, `l.live.Owner == (providers.Owner{})`},
	{"somebody else's route is overwritten", "routes.go", `if live.Exists && w.foreign(f, live.Routing) && !w.putBack(f, live.Routing, want) {`, `if false {`},
	{"what was put back by hand in a canary is undone", "routes.go", `return w.in.Rollout.Stands() || w.neverAsked(f, live)`, `return w.neverAsked(f, live)`},
	{"a person's word does not let a rollout go on", "routes.go", `return item.Confirmed() && item.Response == record.Revert &&`, `return false &&`},
	{"traffic goes to a version that is not ready", "routes.go", `case !v.Ready && number != f.Stable:`, `case !v.Ready && number == "never":`},
	{"an unready version is told as published", "function.go", `if published && version.Ready && w.changing(l.res.Ref) {`, `if published && w.changing(l.res.Ref) {`},
	{"facts do not wait for what is seen", "work.go", `	if len(l.diffs) == 0 {
		w.settled(l, "")
		return
	}
	w.update(l, items)`, `	w.settled(l, "")
	w.update(l, items)`},
	{"drift is written in mid-rollout", "work.go", `case d.origin == byHand:
		case works`, `case works`},
	{"drift is put back while traffic is divided", "items.go", `p == rollout.Shift && !w.starves(item)`, `false`},
	{"drift is put back on the way back", "items.go", `p == rollout.Back || p == rollout.Shift`, `p == rollout.Shift`},
	{"what needs something does not wait for it", "steps.go", `case w.pending[ref] && w.orderly(l.res, ref):`, `case false:`},
	{"what is kept is deleted", "removal.go", `return traitsOf(r.ref.Kind).kept && `, `return false && `},
	{"what may go is kept", "removal.go", ` && r.live.Spec.Fields[pathDeletion] != ` + "`\"Delete\"`", ``},
	{"old versions lose what lasts", "diff.go", `return traitsOf(l.res.Ref.Kind).lasting && `, `return false && `},
	{"a stream's mapping is made again", "drift.go", `if d.streamed {`, `if false {`},
	{"a role made again is taken for the former", "strangers.go", `id == "" || id == l.fact.Identity {`, `true {`},
	{"who it is is forgotten by itself", "strangers.go", `told && (item.Response == record.Ignore ||`, `told && (true ||`},
	{"a version somebody published is ours", "strangers.go", `if newer(n, l.fact.Newest) && n != w.serving(l) {`, `if false {`},
	{"a permission keeps waiting what it waits for", "table.go", `return w.comes(res)`, `return widens`},
	{"an overtaken rollout's functions are forgotten", "changing.go", `return in.Rollout.Phase != rollout.Idle && in.Applied[f.Alias].Version != f.Stable`, `return false`},
}

func TestMutants(t *testing.T) {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), m.old); n != 1 {
			t.Errorf("%s: its place is in %s %d times, want once", m.name, m.file, n)
			continue
		}
		if *runMutants {
			t.Run(m.name, func(t *testing.T) {
				caught(t, filepath.Join(dir, m.file), strings.Replace(string(source), m.old, m.new, 1))
			})
		}
	}
}

// caught builds the package with one file replaced and wants its tests to
// fail, and to have been built.
func caught(t *testing.T, file, source string) {
	tmp := t.TempDir()
	mutant, overlay := filepath.Join(tmp, "mutant.go"), filepath.Join(tmp, "overlay.json")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{mutant: []byte(source), overlay: text} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(tmp, "plan.test")
	if out, err := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	out, err := exec.Command(bin, "-test.run", "Scenarios|Road|Role|Changing|Input|Left|Children|Same|Listing|Tags|Overtaken|Unready|Unseen|Secret|NoTarget|Empty|Share|Plan", "-test.failfast", "-rapid.nofailfile", "-rapid.shrinktime", "1s").CombinedOutput()
	if err == nil {
		t.Errorf("nobody notices:\n%s", out)
	}
}
