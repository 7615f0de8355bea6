package plan

import (
	"slices"
	"strings"

	"mooring.dev/sources/manifest"
)

// roleMade: a role that calls an alias waits for it; of others nobody relies
// before they are there.
func roleMade(_ *world, res *manifest.Resource) class {
	if slices.ContainsFunc(res.Refs, func(ref manifest.Ref) bool { return ref.Kind == manifest.KindAlias }) {
		return connects
	}
	return widens
}

func judgeTopic(d drifted) judgement {
	switch member(d.diff.path) {
	case "policy":
		return revertHigh
	case "kmsMasterKeyId":
		return holdMedium
	case "tags", "displayName":
		return revertLow
	}
	return revertMedium
}

func judgeSubscription(d drifted) judgement {
	if member(d.diff.path) == "filterPolicy" {
		return revertHigh // messages nobody meant to get, or to lose
	}
	return revertMedium
}

// judgeRule: what is switched off is held; where events go is as declared.
func judgeRule(d drifted) judgement {
	switch path := d.diff.path; member(path) {
	case "state":
		return judgeState(d.diff)
	case "targets":
		if strings.HasSuffix(path, ".arn") {
			return revertHigh
		}
	case "description", "tags":
		return revertLow
	}
	return revertMedium
}

func judgeSchedule(d drifted) judgement {
	switch d.diff.path {
	case "state":
		return judgeState(d.diff)
	case "target.arn", "target.roleArn":
		return revertHigh
	case "description":
		return revertLow
	}
	return revertMedium
}

// judgeState: switching off is an operator's, switching on is not.
func judgeState(d diff) judgement {
	if d.l == `"DISABLED"` {
		return holdHigh
	}
	return revertMedium
}
