package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// itemID names a difference while it lasts.
func itemID(ref manifest.Ref, path string, kind record.DriftKind) string {
	sum := sha256.Sum256([]byte(ref.String() + "|" + path + "|" + string(kind)))
	return hex.EncodeToString(sum[:])[:12]
}

// found is a difference nobody released, as seen in this look.
type found struct {
	drifted
	kind record.DriftKind
	at   time.Time // of the look
	res  *manifest.Resource
}

// report turns a difference into its item: new, or the one known before with
// its age, its decision and its count of looks.
func (w *world) report(f found) record.DriftItem {
	j := judge(f.drifted)
	at := f.at
	if at.IsZero() {
		at = w.in.Inventory.At
	}
	item := record.DriftItem{
		ID: itemID(f.ref, f.diff.path, f.kind), Ref: f.ref, Parent: f.parent, Path: f.diff.path, Kind: f.kind,
		Declared: f.diff.d, Live: f.diff.l, Sensitive: f.sensitive,
		Since: at, Seen: 1, SeenAt: at,
		Severity: j.severity, Default: w.cap(j.response), Reason: j.reason, Open: j.open || f.open,
	}
	if f.res != nil && f.res.Bound() && item.Default == record.Revert {
		item.Default, item.Reason = record.Alert, "it belongs to somebody else: it is checked, never changed"
	}
	if item.Contract = w.expects.broken(f.drifted, f.res); item.Contract {
		item.Severity = "critical"
	}
	if before, ok := w.in.Items[item.ID]; ok {
		item = continued(item, before)
	}
	item.Rounds = max(item.Rounds, w.in.Rounds[item.ID])
	w.fought(&item)
	w.seen[item.ID] = true
	w.plan.Items = append(w.plan.Items, item)
	return item
}

// continued carries what is known about a difference from look to look. A
// different live value is a different deed: it is confirmed and decided anew.
func continued(item, before record.DriftItem) record.DriftItem {
	item.Rounds = before.Rounds
	if before.Live != item.Live || before.Declared != item.Declared {
		return item
	}
	item.Since, item.Actor = before.Since, before.Actor
	if item.SeenAt.After(before.SeenAt) {
		item.Seen = before.Seen + 1 // another look, not the same one again
	} else {
		item.Seen, item.SeenAt = before.Seen, before.SeenAt
	}
	if before.Policy || before.Response != "" {
		item.Response, item.Policy, item.Decision = before.Response, before.Policy, before.Decision
		item.Severity, item.Reason, item.Until = before.Severity, before.Reason, before.Until
	}
	return item
}

// decidedByPerson is the decision of an item that a person decided about.
const decidedByPerson = "person"

// fought stops reverting what somebody keeps putting back.
func (w *world) fought(item *record.DriftItem) {
	limit := w.in.Environment.Drift.Rounds
	if limit == 0 {
		limit = 3
	}
	if item.Rounds < limit || item.Decision == decidedByPerson {
		return // a person's word to put it back is not overruled by the count
	}
	why := fmt.Sprintf("another writer keeps changing it: reverted %d times", item.Rounds)
	if item.Default == record.Revert {
		item.Default, item.Reason = record.HoldIt, why
	}
	if item.Response == record.Revert {
		item.Response, item.Reason = record.HoldIt, why
	}
}

// carry keeps items about which nothing could be learned, and resolves those
// that are no more.
func (w *world) carry() {
	for id, item := range w.in.Items {
		if w.seen[id] {
			continue
		}
		if w.blinded(item) {
			w.plan.Items = append(w.plan.Items, item)
			continue
		}
		w.plan.Resolved = append(w.plan.Resolved, id)
	}
}

// blinded is true when this pass could not see whether an item still holds.
func (w *world) blinded(item record.DriftItem) bool {
	if w.in.Target == nil || w.trafficFirst() {
		return true
	}
	if item.Kind != record.Extra || item.Path != "" {
		if w.blind[item.Ref] {
			return true
		}
		res, ok := w.declared(item.Ref)
		if !ok {
			return false
		}
		l := &look{res: res, live: w.in.Inventory.Live[item.Ref]}
		return item.Path != "" && l.unseen(item.Path)
	}
	return !w.absence || w.in.Inventory.Errors[item.Ref] != nil || w.in.Inventory.Errors[item.Parent] != nil
}

// declared finds a resource of the target.
func (w *world) declared(ref manifest.Ref) (*manifest.Resource, bool) {
	i, ok := w.index[ref]
	if !ok {
		return nil, false
	}
	return &w.in.Target.Resources[i], true
}

// reverts says whether an item is to be put back now, and if not, what it
// waits for.
func (w *world) reverts(item record.DriftItem) bool {
	response := w.in.Items[item.ID].Response
	switch {
	case !item.Confirmed():
		w.wait(item.Ref, "confirm", about(item)+" was seen once: once may be a stale read")
	case item.Response == "" || response == "":
		w.wait(item.Ref, "decision", about(item)+" is not decided yet")
	case item.Response != record.Revert:
		if item.Response == record.HoldIt {
			w.wait(item.Ref, "hold", about(item)+" is held: "+item.Reason)
		}
	case w.itemHeld(item.ID):
		w.wait(item.Ref, "hold", about(item)+" is held")
	default:
		return true
	}
	return false
}

// putsBack says whether an item is to be put back in this phase. While traffic
// is divided both versions run as it finds them, so that drift waits until that
// is over, but for what keeps a version that moves from being called: the stage
// would wait for calls, and the drift for the stage. On the way back the release
// comes first.
func (w *world) putsBack(item record.DriftItem) bool {
	if !w.reverts(item) {
		return false
	}
	if p := w.phase(); p == rollout.Back || p == rollout.Shift && !w.starves(item) {
		w.wait(item.Ref, "phase", "drift is put back once the release is in force")
		return false
	}
	return true
}

// starves: what somebody made of a function of the rollout lets no calls through
// to it: it may not run at all, or what feeds it is switched off.
func (w *world) starves(item record.DriftItem) bool {
	of, known := item.Parent, item.Parent != (manifest.Ref{})
	if res, ok := w.declared(item.Ref); !known && ok {
		of = res.Parent
	}
	if !w.changing(of) {
		return false
	}
	switch item.Ref.Kind {
	case manifest.KindConcurrency:
		return item.Live == "0" || item.Kind == record.Extra && strings.Contains(item.Live, `"reservedConcurrentExecutions":0`)
	case manifest.KindTrigger:
		return item.Path == "enabled" && item.Live == "false"
	}
	return false
}

func (w *world) itemHeld(id string) bool {
	return slices.ContainsFunc(w.in.Holds, func(h record.Hold) bool {
		return h.Scope.Item == id && h.Active(w.in.Now)
	})
}

func about(item record.DriftItem) string {
	if item.Path == "" {
		return "drift (" + string(item.Kind) + ")"
	}
	return "drift of " + item.Path
}
