package plan

import (
	"strings"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// drifted is a difference to be judged by the catalogue.
type drifted struct {
	ref  manifest.Ref
	diff diff
	// whole is true when the resource itself is missing or extra.
	whole  bool
	note   string       // the platform's own explanation
	open   bool         // an extra that lets the public in or grants rights
	parent manifest.Ref // of an extra
	// sensitive values are shown as tokens.
	sensitive bool
	// streamed is a mapping of a stream: where it stood is lost with it.
	streamed bool
	// unversioned is a function without an alias: callers use it as it is.
	unversioned bool
}

// judgement is what the catalogue says where nobody decided.
type judgement struct {
	severity string
	response record.Response
	reason   string
	open     bool
}

const mitigation = "usually an operator's mitigation: held, never reverted by default"

var (
	revertLow    = judgement{severity: "low", response: record.Revert}
	revertMedium = judgement{severity: "medium", response: record.Revert}
	revertHigh   = judgement{severity: "high", response: record.Revert}
	alertMedium  = judgement{severity: "medium", response: record.Alert}
	holdMedium   = judgement{severity: "medium", response: record.HoldIt, reason: "needs a person's judgement"}
	holdHigh     = judgement{severity: "high", response: record.HoldIt, reason: mitigation}
	holdCritical = judgement{severity: "critical", response: record.HoldIt, reason: mitigation}
	lostPosition = judgement{severity: "high", response: record.HoldIt, reason: "where it stood in its stream is lost: a new one reads twice or skips"}
	gone         = judgement{severity: "critical", response: record.HoldIt, reason: "it is gone; making it again may not bring back what it held"}
	opened       = judgement{severity: "critical", response: record.Revert, reason: "lets callers in that nobody declared", open: true}
	madeAnew     = judgement{severity: "high", response: record.HoldIt, reason: "it was deleted and made again: policies, grants and mappings that know the former by its id refuse this one"}
	publishedBy  = judgement{severity: "low", response: record.Alert, reason: "published beside the releases; no traffic of theirs goes to it"}
	scaled       = judgement{severity: "medium", response: record.HoldIt, reason: "Application Auto Scaling may own it, or an operator in an incident"}
	granting     = judgement{severity: "high", response: record.Revert, reason: "grants rights that nobody declared", open: true}
)

// judge is the catalogue: severity and default response by what drifted.
func judge(d drifted) judgement {
	switch {
	case d.whole && !d.diff.inD:
		return judgeExtra(d)
	case d.whole:
		return judgeMissing(d)
	case d.diff.path == pathDeletion:
		return revertHigh
	case manifest.Versioned(d.ref.Kind) && strings.HasPrefix(d.diff.path, pathVersions):
		return publishedBy
	}
	if judge := traitsOf(d.ref.Kind).judge; judge != nil {
		return judge(d)
	}
	return revertMedium
}

func judgeAlias(d drifted) judgement {
	if RoutingPath(d.diff.path) {
		return holdHigh
	}
	return revertLow
}

// judgeForeign is of what exists beside Mooring, which nobody but people can
// put back.
func judgeForeign(drifted) judgement {
	return judgement{severity: "critical", response: record.HoldIt, reason: "Mooring does not write it: put it back by hand"}
}

func judgePermission(drifted) judgement { return revertHigh }

func judgeURL(d drifted) judgement {
	if d.diff.path == "authType" && d.diff.l == `"NONE"` {
		return opened
	}
	return revertMedium
}

func judgeConcurrency(d drifted) judgement {
	if d.diff.inL && d.diff.l == "0" {
		return holdCritical
	}
	return revertMedium
}

// judgeProvisioned: Application Auto Scaling moves it by itself.
func judgeProvisioned(d drifted) judgement {
	if d.diff.inL {
		return scaled
	}
	return revertMedium
}

// judgeLayer: a version somebody deleted is published again; functions keep
// what they have until they are pinned to it.
func judgeLayer(d drifted) judgement {
	if member(d.diff.path) != pathPermissions {
		return revertMedium
	}
	switch {
	case !d.diff.inL:
		return revertHigh
	case strings.Contains(d.diff.l, `"principal":"*"`) && !strings.Contains(d.diff.l, `"organizationId"`):
		return opened
	case !d.diff.inD:
		return holdMedium
	}
	return revertHigh
}

func judgeExtra(d drifted) judgement {
	switch {
	case d.open && d.parent.Kind == manifest.KindRole:
		return granting
	case d.open && d.ref.Kind == manifest.KindSubscription:
		return judgement{severity: "high", response: record.Alert, reason: "sends messages out of the account"}
	case d.open:
		return opened
	}
	switch d.ref.Kind {
	case manifest.KindProvisioned:
		return scaled
	case manifest.KindConcurrency:
		// A limit on a function that declares none.
		return holdCritical
	case manifest.KindRuntimeManagement, manifest.KindAsync:
		return revertMedium
	case manifest.KindPermission, manifest.KindURL:
		return holdMedium // somebody calls by it, or is about to
	}
	return alertMedium
}

func judgeMissing(d drifted) judgement {
	if d.streamed {
		return lostPosition
	}
	if j := traitsOf(d.ref.Kind).missing; j != (judgement{}) {
		return j
	}
	return revertMedium
}

func judgeFunction(drift drifted) judgement {
	d := drift.diff
	top := member(d.path)
	switch top {
	case "memorySize", "timeout":
		if raised(d) {
			return holdHigh
		}
	case "loggingConfig":
		return holdHigh
	case "code":
		if drift.unversioned {
			return judgement{severity: "high", response: record.HoldIt, reason: "callers use it as it is: perhaps a fix made in an outage"}
		}
		return revertHigh
	case "environment":
		if drift.sensitive && d.inD && d.inL {
			return judgement{severity: "high", response: record.HoldIt, reason: "it looks like a secret: putting the old one back may lock its users out"}
		}
	case "codeSha256", "artifact", "imageUri", "codeDigest", "handler", "role", "codeSigningConfigArn", "recursiveLoop":
		return revertHigh
	case "vpcConfig", "kmsKeyArn", "fileSystemConfigs":
		return holdMedium
	case "layers":
		if granted(d) != widens { // not only taken away
			return judgement{severity: "medium", response: record.Alert, reason: "layers are often injected by monitoring tools"}
		}
	case "description", "tags", "tracingConfig", "ephemeralStorage", "snapStart":
		return revertLow
	}
	return revertMedium
}

func judgeTrigger(d drifted) judgement {
	if d.diff.path != "enabled" || d.diff.l != "false" {
		return revertMedium
	}
	if d.note != "" {
		return judgement{severity: "high", response: record.Alert, reason: "the service did it: " + d.note}
	}
	return holdHigh
}

func judgeRole(drift drifted) judgement {
	d := drift.diff
	switch member(d.path) {
	case pathIdentity:
		return madeAnew
	case "statement", "statements", "managedPolicyArns", "inlinePolicies", "assumeRolePolicy", "assumeRolePolicyDocument":
		if granted(d) == widens || d.l == `""` { // what is declared is wider than what lives
			return revertHigh
		}
		return granting
	case "permissionsBoundary":
		return revertHigh
	case "tags", "description":
		return revertLow
	}
	return revertMedium
}

func judgeQueue(drift drifted) judgement {
	d := drift.diff
	switch member(d.path) {
	case "messageRetentionPeriod":
		if raised(d) {
			return judgement{severity: "medium", response: record.HoldIt, reason: "lowering it again would lose messages"}
		}
	case "policy", "redrive", "redrivePolicy":
		return revertHigh
	case "tags":
		return revertLow
	}
	return revertMedium
}

func raised(d diff) bool {
	live, ok1 := number(d.l, d.inL)
	want, ok2 := number(d.d, d.inD)
	return ok1 && ok2 && live > want
}

// member is a path's first member: "environment" of environment.LOG_LEVEL.
func member(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// cap applies the environment's own answer to drift.
func (w *world) cap(r record.Response) record.Response {
	switch w.in.Environment.Drift.Response {
	case "off":
		return record.Ignore
	case "alert":
		if r == record.Revert {
			return record.Alert
		}
	}
	return r
}

// expectations is what the code of a release relies on.
type expectations struct {
	refs map[manifest.Ref]bool
	env  map[manifest.Ref]map[string]bool
}

func expectationsOf(r *manifest.Release) expectations {
	e := expectations{refs: map[manifest.Ref]bool{}, env: map[manifest.Ref]map[string]bool{}}
	for fn, d := range r.Functions {
		for _, want := range d.Expects.Resources(fn) {
			e.refs[want.Ref] = true
		}
		if len(d.Expects.Environment) > 0 {
			e.env[fn] = map[string]bool{}
			for _, name := range d.Expects.Environment {
				e.env[fn]["environment."+name] = true
				e.env[fn][`environment["`+name+`"]`] = true
			}
		}
	}
	return e
}

// broken is true when the difference takes away what the code expects.
func (e expectations) broken(d drifted, res *manifest.Resource) bool {
	if d.whole && d.diff.inD && !d.diff.inL && e.refs[d.ref] {
		return true
	}
	if d.ref.Kind == manifest.KindFunction && d.diff.inD && !d.diff.inL {
		return e.env[d.ref][d.diff.path]
	}
	if d.ref.Kind != manifest.KindTrigger || res == nil {
		return false
	}
	off := d.whole && !d.diff.inL || d.diff.path == "enabled" && d.diff.l == "false"
	spec, ok := res.Spec.(*manifest.TriggerSpec)
	return off && ok && e.refs[spec.Queue.Ref]
}
