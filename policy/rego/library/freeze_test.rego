package policy.lib.freeze_test

import data.policy.lib.freeze

_year_end := {
	"environments": ["production"], "from": "2026-12-20T00:00:00Z", "to": "2027-01-03T00:00:00Z",
	"reason": "end of the year",
}

_at(text) := time.parse_rfc3339_ns(text)

test_during if {
	some item in freeze.require([_year_end], "production", _at("2026-12-25T00:00:00Z"))
	item.kind == "window"
	item.until_ns == _at("2027-01-03T00:00:00Z")
}

test_elsewhere if {
	freeze.active([_year_end], "staging", _at("2026-12-25T00:00:00Z")) == set()
}

test_bounds if {
	count(freeze.active([_year_end], "production", _at("2026-12-19T23:59:59Z"))) == 0
	count(freeze.active([_year_end], "production", _at("2026-12-20T00:00:00Z"))) == 1
	count(freeze.active([_year_end], "production", _at("2027-01-03T00:00:00Z"))) == 0
}

test_everywhere if {
	all_of_them := object.union(_year_end, {"environments": []})
	count(freeze.active([all_of_them], "staging", _at("2026-12-25T00:00:00Z"))) == 1
}
