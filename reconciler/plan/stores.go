package plan

import (
	"mooring.dev/reconciler/record"
)

// When the fields of a Table are written, and how drift of Tables and Buckets
// is judged: what protects data is put back, what takes data away or moves a
// stream is a person's to judge.

// tableWritten: indexes and a stream are there before code that reads them,
// and go after it.
func tableWritten(d diff) class {
	switch member(d.path) {
	case "attributeDefinitions", "globalSecondaryIndexes":
		return presence(d)
	case "pointInTimeRecovery", "deletionProtectionEnabled":
		return widens
	case "provisionedThroughput":
		return compareNumbers(d)
	case "streamSpecification":
		if d.path == "streamSpecification.streamEnabled" {
			return switched(d)
		}
		return presence(d)
	case "timeToLive": // takes items away
		return narrows
	}
	return connects
}

// presence: what comes into being widens, what ceases narrows.
func presence(d diff) class {
	switch {
	case !d.inL:
		return widens
	case !d.inD:
		return narrows
	}
	return connects
}

// switched: on widens, off narrows.
func switched(d diff) class {
	if d.d == "true" {
		return widens
	}
	return narrows
}

func judgeTable(drift drifted) judgement {
	d := drift.diff
	switch member(d.path) {
	case "timeToLive":
		return judgement{severity: "high", response: record.HoldIt, reason: "expiry deletes items: putting it back may too"}
	case "streamSpecification":
		return judgement{severity: "high", response: record.HoldIt, reason: "a stream switched on again is another stream: mappings do not follow it"}
	case "pointInTimeRecovery", "deletionProtectionEnabled":
		if d.inD && d.d != "false" {
			return revertHigh
		}
		return judgement{severity: "low", response: record.Alert, reason: "somebody protects it more than is declared"}
	case "provisionedThroughput", "billingMode":
		return judgement{severity: "medium", response: record.Alert, reason: "often moved by auto scaling or in an incident"}
	case "globalSecondaryIndexes":
		if d.inD {
			return holdMedium // building an index anew takes hours and costs
		}
	case "tags":
		return revertLow
	}
	return alertMedium
}

func judgeBucket(drift drifted) judgement {
	d := drift.diff
	switch member(d.path) {
	case "publicAccessBlock":
		if d.d == "true" {
			return judgement{severity: "critical", response: record.Revert, reason: "may let the public in", open: true}
		}
		return alertMedium
	case "versioning":
		if d.d == `"Enabled"` {
			return revertHigh
		}
		return alertMedium
	case "tags":
		return revertLow
	}
	return revertMedium
}
