package policy.promotion.gate_test

import future.keywords.not

import data.policy.promotion.gate

_upstream := {
	"environment": "staging", "content_match": true, "applied": true, "healthy": true, "held": false,
	"soak_seconds": 3600, "checks": [{"name": "smoke", "known": true, "passed": true, "time_ns": 1}],
}

_good := {
	"environment": {"name": "production", "protected": true, "suspended": false, "window": {"open": true, "next_change_ns": 0}},
	"request": {"time_ns": time.parse_rfc3339_ns("2026-06-01T12:00:00Z")},
	"upstream": [_upstream],
	"approvals": [{"name": "ann", "verified": true, "author": false, "teams": []}],
	"contract": {"satisfied": true, "broken": []},
	"flags": [], "changes": [], "truncated": false,
}

# The data of the tests, so that changing the real ones breaks no test.
_windows := [{"days": ["Monday"], "from": "09:00", "to": "16:00", "zone": "Europe/Amsterdam"}]

_freezes := [{"environments": [], "from": "2026-12-20T00:00:00Z", "to": "2027-01-04T00:00:00Z", "reason": "end of the year"}]

_required(i) := codes if {
	items := gate.require with input as i with data.config.windows as _windows with data.config.freezes as _freezes
		with data.config.soak as {"default": 3600} with data.config.approvals as {"people": 1}
	codes := {item.code | some item in items}
}

_but(change) := object.union(_good, change)

_upstream_but(change) := _but({"upstream": [object.union(_upstream, change)]})

test_good if {
	gate.allow with input as _good
	_required(_good) == set()
}

test_held[name] if {
	some name, c in {
		"not healthy": {"code": "upstream_unsettled", "input": _upstream_but({"healthy": false})},
		"not checked": {"code": "check", "input": _upstream_but({"checks": [{"name": "smoke", "known": false, "passed": false, "time_ns": 0}]})},
		"too fresh": {"code": "soak", "input": _upstream_but({"soak_seconds": 3599})},
		"its own window": {"code": "window", "input": _but({"environment": {"window": {"open": false, "next_change_ns": 7}}})},
		"after hours": {"code": "window", "input": _but({"request": {"time_ns": time.parse_rfc3339_ns("2026-06-01T14:00:00Z")}})},
		"nobody looked": {"code": "approval", "input": _but({"approvals": []})},
		"only the author did": {"code": "approval", "input": _but({"approvals": [{"name": "ann", "verified": true, "author": true, "teams": []}]})},
		"what it expects is gone": {"code": "contract", "input": _but({"contract": {"satisfied": false, "broken": []}})},
		"suspended": {"code": "suspended", "input": _but({"environment": {"suspended": true}})},
	}
	_required(c.input) == {c.code}
}

test_frozen if {
	"freeze" in _required(_but({"request": {"time_ns": time.parse_rfc3339_ns("2026-12-21T12:00:00Z")}}))
}

test_broken_contract_is_named if {
	broken := [{"resource": "Function/checkout", "expects": "secret shop/stripe", "why": "scheduled for deletion"}]
	i := _but({"contract": {"satisfied": false, "broken": broken}})
	not gate.allow with input as i
	some item in gate.require with input as i
	item.msg == "Function/checkout expects secret shop/stripe in production: scheduled for deletion"
}

test_unprotected_needs_neither_hours_nor_people if {
	i := object.union(_but({"approvals": []}), {
		"environment": {"protected": false},
		"request": {"time_ns": time.parse_rfc3339_ns("2026-06-07T12:00:00Z")},
	})
	_required(i) == set()
}

test_nothing_upstream_allows_nothing if {
	i := _but({"upstream": []})
	not gate.allow with input as i
	_required(i) == {"upstream_unsettled"}
}
