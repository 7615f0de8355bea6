package policy.admission.canary_test

import data.policy.admission.canary

_codes(tier, stages, first) := codes if {
	found := canary.deny with input.changes as [{
		"resource": "Function/checkout", "kind": "Function", "operation": "update", "labels": {"tier": tier},
		"traffic": {"known": true, "strategy": "canary", "stages": stages, "first_weight": first},
	}]
	codes := {f.code | some f in found}
}

test_staged if _codes("critical", 3, 25) == set()

test_steep if _codes("critical", 2, 50) == {"canary_steep"}

test_at_once if _codes("critical", 1, 100) == {"canary_missing", "canary_steep"}

test_not_critical if _codes("batch", 1, 100) == set()

test_promoted if canary.allow with input.release.promoted as true
