package policy.admission.protected_test

import future.keywords.not

import data.policy.admission.protected

_input(promoted, trailers, signature) := {
	"environment": {"name": "production", "protected": true},
	"request": {"time_ns": time.parse_rfc3339_ns("2026-06-01T12:00:00Z")},
	"release": {"promoted": promoted},
	"commit": {"trailers": trailers, "signature": {"status": signature}},
	"flags": [], "changes": [], "truncated": false,
	"summary": {"created": 0, "updated": 1, "deleted": 0},
}

_promoted := _input(true, {}, "unsigned")

_freeze := [{
	"environments": ["production"], "from": "2026-06-01T00:00:00Z", "to": "2026-06-02T00:00:00Z",
	"reason": "the sale", "except": {"flags": ["hotfix"]},
}]

_codes(items) := {i.code | some i in items}

test_promoted_content if {
	protected.allow with input as _promoted
	protected.deny == set() with input as _promoted
	protected.require == set() with input as _promoted
}

test_by_hand[name] if {
	some name, i in {
		"signed, but no hotfix": _input(false, {}, "valid"),
		"says it is a hotfix, but unsigned": _input(false, {"Hotfix": "the till is broken"}, "unsigned"),
		"signed by a stranger": _input(false, {"Hotfix": "the till is broken"}, "unknown_key"),
	}
	not protected.allow with input as i
	_codes(protected.deny) == {"not_promoted"} with input as i
}

test_signed_hotfix_needs_a_second_person if {
	i := _input(false, {"Hotfix": "the till is broken"}, "valid")
	protected.allow with input as i
	protected.deny == set() with input as i
	_codes(protected.require) == {"approval_wanted"} with input as i
}

test_elsewhere_it_says_nothing if {
	i := object.union(_input(false, {}, "unsigned"), {"environment": {"name": "preview", "protected": false}})
	not protected.allow with input as i
	protected.deny == set() with input as i
	protected.require == set() with input as i
}

test_too_much_at_once if {
	i := object.union(_promoted, {"summary": {"created": 51}})
	_codes(protected.require) == {"blast_radius"} with input as i with data.config.limits as {"resources": 50, "people": 2}
}

test_frozen if {
	_codes(protected.require) == {"freeze"} with input as _promoted with data.config.freezes as _freeze
}

test_exception if {
	i := object.union(_promoted, {"flags": ["hotfix"]})
	protected.require == set() with input as i with data.config.freezes as _freeze
}
