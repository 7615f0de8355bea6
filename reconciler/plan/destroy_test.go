package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// ruin is an environment with a bit of everything, as its release declares it.
func ruin(t *testing.T) Input {
	t.Helper()
	ref := func(text string) manifest.Ref {
		r, err := manifest.ParseRef(text)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	in := Input{Pipeline: "shop", Environment: manifest.Environment{Name: "old"}, Surveys: 2, Previous: &manifest.Release{Digest: "sha256:1"}}
	in.Inventory = providers.Inventory{Complete: true, Live: map[manifest.Ref]providers.Live{}}
	for _, row := range []string{ // resource, what it is on, what it refers to
		"Function/f - Role/f,Queue/q", "Role/f - Queue/q", "Alias/f.live Function/f", "Permission/f.rule Function/f Rule/r", "Trigger/f.q Function/f Queue/q",
		"Async/f Function/f Queue/dlq", "Notification/f.files Function/f Bucket/b", "Rule/r - Alias/f.live", "Queue/q - Queue/dlq", "Queue/dlq", "Bucket/b",
		"Secret/s", "LogGroup/f", "Topic/t", "Function/other", "Trigger/other.q Function/other Queue/q",
	} {
		cells := strings.Fields(row + " - -")
		res := manifest.Resource{Ref: ref(cells[0]), Physical: "old-" + strings.ReplaceAll(cells[0], "/", "-")}
		if cells[1] != "-" {
			res.Parent = ref(cells[1])
		}
		if cells[2] != "-" {
			for _, r := range strings.Split(cells[2], ",") {
				res.Refs = append(res.Refs, ref(r))
			}
		}
		in.Previous.Resources = append(in.Previous.Resources, res)
		owner := providers.Owner{Pipeline: "shop", Environment: "old", Resource: res.Ref.String()}
		if res.Ref.Name == "other" {
			owner.Environment = "new"
		}
		in.Inventory.Live[res.Ref] = providers.Live{Exists: true, Owner: owner}
	}
	return in
}

// gonePlan is the world once these went, with what goes with them.
func gonePlan(in Input, d Destruction) Input {
	for _, s := range d.Steps {
		delete(in.Inventory.Live, s.Ref)
		for _, g := range d.Going {
			if g.With == s.Ref {
				delete(in.Inventory.Live, g.Ref)
			}
		}
	}
	return in
}

// TestDestroyOrder: what invokes goes first, a queue after whatever names it; what
// is not ours and what holds data stays.
func TestDestroyOrder(t *testing.T) {
	in, order := ruin(t), []string{}
	for range 10 {
		d := Destroy(in, true)
		if d.Over() {
			break
		}
		var wave []string
		for _, s := range d.Steps {
			wave = append(wave, string(s.Operation)+" "+s.Ref.String())
		}
		slices.Sort(wave)
		order = append(order, strings.Join(wave, ", "))
		in = gonePlan(in, d)
	}
	want := []string{
		"delete Rule/r, detach Notification/f.files, detach Trigger/f.q", "delete Function/f, delete Topic/t", "delete Role/f", "delete Queue/q", "delete Queue/dlq",
	}
	if !slices.Equal(order, want) {
		t.Errorf("in this order:\n%s\nwant\n%s", strings.Join(order, "\n"), strings.Join(want, "\n"))
	}
	var kept []string
	for _, k := range Destroy(in, true).Kept {
		kept = append(kept, k.Ref.String())
	}
	if want := "Bucket/b Function/other LogGroup/f Secret/s Trigger/other.q"; strings.Join(kept, " ") != want {
		t.Errorf("kept %v, want %s", kept, want)
	}
}

// TestDestroyIsCareful: nothing goes on half a look, nor a queue that nobody
// named, nor what a hold covers.
func TestDestroyIsCareful(t *testing.T) {
	for name, change := range map[string]func(*Input){
		"one listing":        func(in *Input) { in.Surveys = 1 },
		"a partial listing":  func(in *Input) { in.Inventory.Complete = false },
		"a failed listing":   func(in *Input) { in.Inventory.Errors = map[manifest.Ref]error{{}: errors.New("no answer")} },
		"only looked at":     func(in *Input) { in.Observing = true },
		"all of it is moved": func(in *Input) { in.Pipeline = "another" },
	} {
		in := ruin(t)
		change(&in)
		if d := Destroy(in, true); len(d.Steps) > 0 {
			t.Errorf("%s: %v", name, d.Steps)
		}
	}
	for text, want := range map[string]string{"Rule/r": "", "Function/f": "Topic/t"} {
		in := ruin(t)
		in = gonePlan(in, Destroy(in, true)) // what invokes
		ref, err := manifest.ParseRef(text)
		if err != nil {
			t.Fatal(err)
		}
		in.Inventory.Errors = map[manifest.Ref]error{ref: errors.New("no answer")}
		d, steps := Destroy(in, true), ""
		for _, s := range d.Steps {
			steps += s.Ref.String()
		}
		if steps != want || len(d.Unseen) == 0 || d.Over() {
			t.Errorf("%s could not be looked at, and %q go", text, steps)
		}
	}
	for _, g := range Destroy(ruin(t), false).Going {
		if g.Ref.Kind == manifest.KindQueue {
			t.Errorf("%s goes, and nobody asked for data", g.Ref)
		}
	}
}
