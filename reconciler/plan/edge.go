package plan

import (
	"strings"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// pathDeletion is the field that says whether what is kept may be deleted.
const pathDeletion = "deletionPolicy"

// afterAliases: early, unless it names an alias that traffic has yet to make.
func afterAliases(w *world, res *manifest.Resource) class {
	for _, ref := range res.Refs {
		if ref.Kind == manifest.KindAlias && !w.lives(ref) {
			return connects
		}
	}
	return widens
}

// logGroupWritten: events that are kept longer harm nobody, and are thrown
// away last.
func logGroupWritten(d diff) class {
	switch {
	case d.path == "deletionProtectionEnabled":
		return widens
	case d.path != "retentionInDays":
		return connects
	}
	live, want := retention(d.l, d.inL), retention(d.d, d.inD)
	if want > live {
		return widens
	}
	return narrows
}

// retention is days; 0, for ever, is more than any.
func retention(text string, present bool) float64 {
	days, ok := number(text, present)
	if !ok || days == 0 {
		return 1e9
	}
	return days
}

func judgeLogGroup(drift drifted) judgement {
	d := drift.diff
	switch member(d.path) {
	case "retentionInDays":
		if retention(d.l, d.inL) > retention(d.d, d.inD) {
			return judgement{severity: "medium", response: record.HoldIt, reason: "kept longer, as for an investigation: lowering it again would lose events"}
		}
		return revertLow
	case "kmsKeyId":
		return holdMedium
	case "deletionProtectionEnabled":
		if d.l == "true" {
			return holdMedium // protecting it more harms nobody
		}
		return revertHigh
	case "subscriptionFilters":
		if !d.inD {
			return judgement{severity: "high", response: record.Alert, reason: "its events go where nobody declared"}
		}
	case "tags":
		return revertLow
	}
	return revertMedium
}

// alarmGone, or silenced: it guards what is rolled out, and putting it back
// loses nothing.
var alarmGone = judgement{severity: "high", response: record.Revert, reason: "it guards what is rolled out"}

func judgeAlarm(drift drifted) judgement {
	switch d := drift.diff; member(d.path) {
	case "actionsEnabled":
		if d.l == "false" {
			return alarmGone
		}
	case "alarmDescription", "tags":
		return revertLow
	}
	return revertMedium
}

// apiWritten: who lets requests in is there before a route asks for it, and
// goes after.
func apiWritten(d diff) class {
	if member(d.path) == "authorizers" {
		switch {
		case !d.inL:
			return widens
		case !d.inD:
			return narrows
		}
	}
	return connects
}

func judgeAPI(drift drifted) judgement {
	d := drift.diff
	switch {
	case d.path == "disableExecuteApiEndpoint" && d.l == "true":
		return holdHigh
	case d.path == "disableExecuteApiEndpoint":
		return opened
	case strings.HasPrefix(d.path, "stage.defaultRouteSettings.throttling"), strings.HasPrefix(d.path, "stage.routeSettings"):
		return holdHigh // raised for a rush, or lowered to stop one
	case member(d.path) == "authorizers" && d.inD:
		return revertHigh
	case member(d.path) == "authorizers":
		return alertMedium
	case d.path == "name", d.path == "description", d.path == "version", d.path == "stage.description", member(d.path) == "tags":
		return revertLow
	}
	return revertMedium
}

// judgeRoute: a route that asks nobody who calls, where the manifest asks or
// knows no such route, lets callers in.
func judgeRoute(drift drifted) judgement {
	d := drift.diff
	switch member(d.path) {
	case "routes":
		open := strings.Contains(d.l, `"authorization":"NONE"`)
		switch {
		case open && !strings.Contains(d.d, `"authorization":"NONE"`):
			return opened
		case !d.inD:
			return alertMedium
		}
		return revertHigh
	case "integrationUri":
		return revertHigh
	case "timeoutInMillis":
		if raised(d) {
			return holdHigh
		}
	}
	return revertMedium
}
