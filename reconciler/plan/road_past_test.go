package plan

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// Whatever is in a release's way, be it a hand on an alias, a thing that does not
// answer or one that is missing, what it would remove in the end is foreseen: who
// judges it is asked once, and it goes on when that is out of the way.
func TestRoadTellsRemovalsWhateverIsInTheWay(t *testing.T) {
	files := maps.Clone(base(t))
	files["mailer.yaml"] = replaced(t, files["mailer.yaml"], "sha256:22", "sha256:33")
	files["checkout.yaml"] = replaced(t, files["checkout.yaml"], "  triggers:\n    orders: {queue: Queue/orders, batchSize: 10}\n", "")
	next := render(t, files, "v2")
	gone, alias := ref("Trigger/checkout.orders"), ref("Alias/mailer.live")
	told := func(name string, in Input) []Step {
		t.Helper()
		steps := Road(in)
		if !slices.ContainsFunc(steps, func(s Step) bool { return s.Ref == gone }) {
			t.Errorf("%s: nobody is told that %s goes: %v", name, gone, opsOf(steps))
		}
		return steps
	}
	s := started(t)
	told("nothing", s.withTarget(next))
	for name, spoil := range map[string]func(in *Input){
		"a share by hand": func(in *Input) {
			in.point(alias, providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(10)})
		},
		"another version by hand":    func(in *Input) { in.point(alias, providers.Routing{Version: "7"}) },
		"a function without answer":  func(in *Input) { in.silence(ref("Function/mailer")) },
		"an alias without answer":    func(in *Input) { in.silence(alias) },
		"a secret without answer":    func(in *Input) { in.silence(ref("Secret/shop/stripe")) },
		"a secret that is not there": func(in *Input) { in.Inventory.Live[ref("Secret/shop/stripe")] = providers.Live{} },
	} {
		in := s.withTarget(next)
		in.Inventory.Live, in.Inventory.Errors = maps.Clone(in.Inventory.Live), maps.Clone(in.Inventory.Errors)
		spoil(&in)
		steps := told(name, in)
		routed := slices.ContainsFunc(steps, func(s Step) bool { return s.Operation == Route && s.Ref == alias })
		if silent := in.Inventory.Errors[alias] != nil || in.Inventory.Errors[ref("Function/mailer")] != nil; routed == silent {
			t.Errorf("%s: traffic moves %v", name, routed)
		}
	}
	for i, hand := range hands {
		s := started(t)
		if err := hand(s.platform.Manual("user/bob"), s); err != nil {
			t.Fatal(err)
		}
		in := s.withTarget(next)
		if in.Inventory.Live[gone].Exists {
			told("hand "+string(rune('a'+i)), in)
		}
	}
}

func (in *Input) point(alias manifest.Ref, to providers.Routing) {
	live := in.Inventory.Live[alias]
	live.Routing = to
	in.Inventory.Live[alias] = live
}

func (in *Input) silence(ref manifest.Ref) {
	delete(in.Inventory.Live, ref)
	if in.Inventory.Errors == nil {
		in.Inventory.Errors = map[manifest.Ref]error{}
	}
	in.Inventory.Errors[ref] = errors.New("no answer")
}

func opsOf(steps []Step) (out []string) {
	for _, s := range steps {
		out = append(out, string(s.Operation)+" "+s.Ref.String())
	}
	return out
}
