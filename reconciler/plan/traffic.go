package plan

import (
	"slices"

	"mooring.dev/sources/manifest"
)

// Shift is how the calls of one function, or the executions of one workflow,
// get to the version that a release brings.
type Shift struct {
	Ref    manifest.Ref
	Alias  manifest.Ref     // zero with `alias: none`
	Stages []manifest.Stage // nil when they get there at once
	// Blind is why they are not divided between the versions; "" when they are.
	Blind string
	Ways  []Way
}

// Way is one thing by which calls come.
type Way struct {
	Ref manifest.Ref
	// Weighted: the weight of the alias applies to them.
	Weighted bool
	How      string // what is divided, or why nothing is
}

// Source is a row of the table of ways.
type Source struct{ From, Divides string }

// passedBy is of calls that name the function itself.
const passedBy = "it calls `$LATEST`, whatever the alias says"

// The table: by what calls come, and what a weight divides there.
var (
	ofQueue      = Source{"queue", "each batch of messages; one that comes again may meet the other version"}
	ofStream     = Source{"stream of a table or of Kinesis", "each batch of records; the next of the same shard may meet the other version"}
	ofWindow     = Source{"stream with a tumbling window", "each batch of records; the state of a window passes from one version to the other"}
	ofTopic      = Source{"topic", "each message; a retry may meet the other version"}
	ofRule       = Source{"rule", "each event; a retry may meet the other version"}
	ofSchedule   = Source{"schedule", "each call; they are few, and a small weight may see none"}
	ofBucket     = Source{"bucket", "each event of an object; a retry may meet the other version"}
	ofRoute      = Source{"route of an HTTP API", "each request"}
	ofURL        = Source{"function URL", "each request"}
	ofPermission = Source{"permission for somebody else", "each call that names the alias; calls that name the function or a version are not moved"}
	ofWorkflow   = Source{"workflow", "each task; one execution may meet both versions"}
	ofStart      = Source{"rule or schedule that starts a workflow", "each execution; one that runs keeps its definition"}
)

// Sources is the table, for people.
func Sources() []Source {
	return []Source{ofQueue, ofStream, ofWindow, ofTopic, ofRule, ofSchedule, ofBucket, ofRoute, ofURL, ofPermission, ofWorkflow, ofStart}
}

// Traffic says of everything whose version changes how its calls get there.
// in.Rollout is the state before the start, as for Changing; stages are those
// of the release, and road is the way to it.
func Traffic(in Input, road []Step, stages []manifest.Stage) []Shift {
	var out []Shift
	blind := Blind(in)
	for _, f := range Changing(in) {
		s := Shift{Ref: f.Ref, Alias: f.Alias, Ways: waysTo(in.Target, f.Ref, f.Alias)}
		switch {
		case blind != "":
			s.Blind = blind
		case f.Stable == "":
			s.Blind = "there is no version to compare it with"
		case len(stages) < 2:
			s.Blind = "it is to move at once"
		default:
			s.Stages = stages
		}
		out = append(out, s)
	}
	for _, ref := range unaliased(in.Target, road) {
		out = append(out, Shift{Ref: ref, Blind: "callers use `$LATEST` (alias: none)", Ways: waysTo(in.Target, ref, manifest.Ref{})})
	}
	slices.SortFunc(out, func(a, b Shift) int { return a.Ref.Compare(b.Ref) })
	return out
}

// unaliased are the functions without an alias that change.
func unaliased(rel *manifest.Release, road []Step) []manifest.Ref {
	var out []manifest.Ref
	for _, s := range road {
		d, versioned := rel.Functions[s.Ref]
		if versioned && d.Alias == (manifest.Ref{}) && len(s.Fields) > 0 && !slices.Contains(out, s.Ref) {
			out = append(out, s.Ref)
		}
	}
	return out
}

// waysTo are the things of a release by which calls come to a function, or
// executions to a workflow.
func waysTo(rel *manifest.Release, fn, alias manifest.Ref) []Way {
	var out []Way
	for i := range rel.Resources {
		res := &rel.Resources[i]
		through := alias != (manifest.Ref{}) && slices.Contains(res.Refs, alias)
		if !through && !slices.Contains(res.Refs, fn) {
			continue
		}
		from := sourceOf(res, fn.Kind)
		if from == (Source{}) {
			continue
		}
		w := Way{Ref: res.Ref, Weighted: through, How: from.Divides}
		if !through {
			w.How = passedBy
		}
		out = append(out, w)
	}
	ways := slices.Clone(out)
	return slices.DeleteFunc(out, func(w Way) bool { return ofAWay(rel, w.Ref, ways) })
}

// sourceOf is the row of a resource; a zero Source for what brings no calls.
func sourceOf(res *manifest.Resource, to string) Source {
	if to == manifest.KindWorkflow {
		if res.Ref.Kind == manifest.KindRule || res.Ref.Kind == manifest.KindSchedule {
			return ofStart
		}
		return Source{}
	}
	switch spec := res.Spec.(type) {
	case *manifest.TriggerSpec:
		switch {
		case spec.TumblingWindowInSeconds > 0:
			return ofWindow
		case spec.OfStream():
			return ofStream
		}
		return ofQueue
	case *manifest.SubscriptionSpec:
		return ofTopic
	case *manifest.RuleSpec:
		return ofRule
	case *manifest.ScheduleSpec:
		return ofSchedule
	case *manifest.NotificationSpec:
		return ofBucket
	case *manifest.RouteSpec:
		return ofRoute
	case *manifest.URLSpec:
		return ofURL
	case *manifest.PermissionSpec:
		return ofPermission
	case *manifest.WorkflowSpec:
		return ofWorkflow
	}
	return Source{}
}

// ofAWay is true for a permission that something listed itself needs.
func ofAWay(rel *manifest.Release, ref manifest.Ref, ways []Way) bool {
	if ref.Kind != manifest.KindPermission {
		return false
	}
	res, _ := rel.Resource(ref)
	spec, _ := res.Spec.(*manifest.PermissionSpec)
	return slices.ContainsFunc(ways, func(w Way) bool {
		switch {
		case w.Ref.Kind == manifest.KindPermission:
			return false
		case w.Ref.Kind == manifest.KindURL:
			return res.Key == manifest.SidURL || res.Key == manifest.SidInvoke
		}
		return w.Ref.Name == ref.Name || spec != nil && spec.SourceArn.Ref == w.Ref
	})
}
