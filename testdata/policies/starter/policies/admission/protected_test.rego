package policy.admission.protected_test

import future.keywords.not

import data.policy.admission.protected

_now := time.parse_rfc3339_ns("2026-06-01T12:00:00Z")

_input(promoted, trailers, signature) := {
	"environment": {"name": "production", "protected": true},
	"request": {"time_ns": _now},
	"release": {"promoted": promoted},
	"commit": {"trailers": trailers, "signature": {"status": signature}},
	"changes": [],
	"summary": {"created": 0, "updated": 1, "deleted": 0, "stateful_deleted": 0},
}

_codes(items) := {i.code | some i in items}

test_promoted_content if {
	protected.allow with input as _input(true, {}, "unsigned")
	protected.deny == set() with input as _input(true, {}, "unsigned")
	protected.require == set() with input as _input(true, {}, "unsigned")
}

test_by_hand if {
	i := _input(false, {}, "valid")
	not protected.allow with input as i
	_codes(protected.deny) == {"not_promoted"} with input as i
}

test_a_claim_is_no_hotfix if {
	i := _input(false, {"Hotfix": "the till is broken"}, "unsigned")
	not protected.allow with input as i
	_codes(protected.deny) == {"not_promoted"} with input as i
}

test_signed_hotfix_needs_a_second_person if {
	i := _input(false, {"Hotfix": "the till is broken"}, "valid")
	protected.allow with input as i
	protected.deny == set() with input as i
	_codes(protected.require) == {"hotfix"} with input as i
}

test_elsewhere_it_says_nothing if {
	i := object.union(_input(false, {}, "unsigned"), {"environment": {"name": "preview", "protected": false}})
	not protected.allow with input as i
	protected.deny == set() with input as i
	protected.require == set() with input as i
}

test_frozen if {
	i := object.union(_input(true, {}, "unsigned"), {"request": {"time_ns": time.parse_rfc3339_ns("2025-12-24T18:00:00Z")}})
	_codes(protected.require) == {"freeze"} with input as i
}

test_too_much_at_once if {
	i := object.union(_input(true, {}, "unsigned"), {"summary": {"created": 50}})
	_codes(protected.require) == {"blast_radius"} with input as i
}

test_a_queue_is_not_deleted if {
	changes := [{"resource": "Queue/orders", "kind": "Queue", "operation": "delete"}]
	i := object.union(_input(true, {}, "unsigned"), {"changes": changes})
	_codes(protected.deny) == {"destroys_data"} with input as i
}
