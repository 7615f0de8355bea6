package plan

import (
	"slices"
	"strconv"
	"time"

	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

// Changing lists the functions whose traffic a rollout of in.Target has to
// move, for rollout.Start: those whose stable version does not carry what is
// declared, and those an overtaken rollout moved. in.Rollout is the state
// before the start. Stable is the version
// that last proved itself, not where traffic happens to be: an alias somebody
// repointed is drift, and no reason to roll out.
func Changing(in Input) []rollout.Function {
	if in.Target == nil {
		return nil
	}
	var list []rollout.Function
	for fn, delivery := range in.Target.Functions {
		if delivery.Alias == (manifest.Ref{}) {
			continue
		}
		f := rollout.Function{Ref: fn, Alias: delivery.Alias, Stable: stableVersion(in, fn, delivery.Alias),
			Probed: delivery.Rollout.Analysis.Probe.Of(fn), Longest: longest(in, fn)}
		if !carried(in, f) || unsettled(in, f) {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b rollout.Function) int { return a.Ref.Compare(b.Ref) })
	return list
}

// longest is how long a call of the version that comes, or of the one beside it, may
// run; 0 where every call is told in time.
func longest(in Input, fn manifest.Ref) time.Duration {
	if fn.Kind != manifest.KindFunction {
		return 0
	}
	var most time.Duration
	for _, fields := range []map[string]string{in.Specs[fn].Fields, in.Applied[fn].Fields, in.Inventory.Live[fn].Spec.Fields} {
		if seconds, err := strconv.Atoi(fields["timeout"]); err == nil {
			most = max(most, time.Duration(seconds)*time.Second)
		}
	}
	for _, f := range in.Rollout.Functions {
		if f.Ref == fn && in.Rollout.Phase != rollout.Idle {
			most = max(most, f.Longest) // whose stable version is this one's
		}
	}
	if most <= rollout.Prompt {
		return 0
	}
	return most
}

// stableVersion is the version that last proved itself: while a rollout is
// under way its baseline, or the new version once every stage has held; else
// what was last seen in place, else what serves.
func stableVersion(in Input, fn, alias manifest.Ref) string {
	version := proven(in, fn, alias)
	live := in.Inventory.Live[fn]
	switch _, ok := live.Published[version]; {
	case ok:
	case live.Exists:
		return in.Inventory.Live[alias].Routing.Version // the function was made again since
	case in.Inventory.Complete && in.Inventory.Errors[fn] == nil:
		return "" // it is gone: nothing to return to, and nothing runs beside the new one
	}
	return version
}

func proven(in Input, fn, alias manifest.Ref) string {
	for _, f := range in.Rollout.Functions {
		if f.Ref != fn || f.Alias != alias || f.New == "" && f.Stable == "" {
			continue
		}
		switch p := in.Rollout.Phase; {
		case p == rollout.Idle || p == rollout.Connect || p == rollout.Contract,
			p == rollout.Shift && in.Rollout.Stable.Digest == "":
			return f.New
		}
		return f.Stable
	}
	if f, ok := in.Applied[alias]; ok && !f.Gone && f.Version != "" {
		return f.Version
	}
	return in.Inventory.Live[alias].Routing.Version
}

// unsettled functions were moved by the rollout that is overtaken, and nobody
// saw them at rest since: the next one has to go on speaking of them, or their
// alias would be taken for repointed.
func unsettled(in Input, f rollout.Function) bool {
	return in.Rollout.Phase != rollout.Idle && in.Applied[f.Alias].Version != f.Stable
}

// carried is true when the stable version carries what is declared.
func carried(in Input, f rollout.Function) bool {
	spec := in.Specs[f.Ref]
	if spec.Snapshot == "" || len(spec.Unbound) > 0 || f.Stable == "" {
		return false
	}
	v, ok := in.Inventory.Live[f.Ref].Published[f.Stable]
	return ok && v.Ready && v.Snapshot == spec.Snapshot
}

// Blind says why the change of versions cannot be weighted: Lambda refuses an
// alias over two versions with different roles or dead-letter targets. "" when
// it can.
func Blind(in Input) string {
	if in.Target == nil {
		return ""
	}
	var roles, letters []string
	for _, f := range Changing(in) {
		if f.Stable == "" {
			continue
		}
		spec, changes := in.Specs[f.Ref], changesOf(in, f.Ref)
		if changes("role", spec.Fields) {
			roles = append(roles, f.Ref.String())
		}
		if changes("deadLetterConfig", spec.Fields) {
			letters = append(letters, f.Ref.String())
		}
	}
	switch {
	case len(roles) > 0:
		return "role changes of " + roles[0]
	case len(letters) > 0:
		return "dead-letter target changes of " + letters[0]
	}
	return ""
}

// changesOf tells whether a function had something else below one member, as last
// seen in place or, where that is not known, as it lives. What is not seen is no
// difference.
func changesOf(in Input, fn manifest.Ref) func(top string, now map[string]string) bool {
	fields, unseen := in.Applied[fn].Fields, map[string]string{}
	if fact, ok := in.Applied[fn]; !ok || fact.Gone {
		live := in.Inventory.Live[fn]
		if fields, unseen = live.Spec.Fields, live.Unseen; !live.Exists {
			return func(string, map[string]string) bool { return false }
		}
	}
	return func(top string, now map[string]string) bool {
		for path := range unseen {
			if member(path) == top {
				return false
			}
		}
		return differs(now, fields, top)
	}
}

// differs compares all fields below one member.
func differs(a, b map[string]string, top string) bool {
	for path, v := range a {
		if member(path) == top && b[path] != v {
			return true
		}
	}
	for path := range b {
		if _, ok := a[path]; !ok && member(path) == top {
			return true
		}
	}
	return false
}
