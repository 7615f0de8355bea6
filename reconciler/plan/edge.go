package plan

import (
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
	case d.path == pathDeletion, d.path == "deletionProtectionEnabled":
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
	case pathDeletion:
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
