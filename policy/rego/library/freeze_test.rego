package policy.lib.freeze_test

import data.policy.lib.freeze

_year_end := {
	"environments": ["production"], "from": "2026-12-20T00:00:00Z", "to": "2027-01-03T00:00:00+01:00",
	"reason": "end of the year",
}

_excepting := object.union(_year_end, {"except": {"flags": ["hotfix"], "resources": ["Function/banner"]}})

_at(text) := time.parse_rfc3339_ns(text)

_facts := {
	"environment": {"name": "production"}, "request": {"time_ns": _at("2026-12-25T00:00:00Z")},
	"flags": [], "changes": [{"resource": "Function/checkout"}], "truncated": false,
}

test_during if {
	some item in freeze.require([_year_end], "production", _at("2026-12-25T00:00:00Z"))
	item.kind == "window"
	item.until_ns == _at("2027-01-02T23:00:00Z")
}

test_elsewhere if {
	freeze.active([_year_end], "staging", _at("2026-12-25T00:00:00Z")) == set()
}

test_bounds if {
	count(freeze.active([_year_end], "production", _at("2026-12-19T23:59:59Z"))) == 0
	count(freeze.active([_year_end], "production", _at("2026-12-20T00:00:00Z"))) == 1
	count(freeze.active([_year_end], "production", _at("2027-01-02T22:59:59Z"))) == 1
	count(freeze.active([_year_end], "production", _at("2027-01-02T23:00:00Z"))) == 0
}

test_everywhere if {
	all_of_them := object.union(_year_end, {"environments": []})
	count(freeze.active([all_of_them], "staging", _at("2026-12-25T00:00:00Z"))) == 1
}

test_exceptions[name] if {
	some name, change in {
		"flagged": {"flags": ["reviewed", "hotfix"]},
		"touches nothing else": {"changes": [{"resource": "Function/banner"}]},
	}
	facts := object.union(_facts, change)
	freeze.require_for([_excepting], facts) == set()
	count(freeze.require_for([_year_end], facts)) == 1
}

test_no_exception[name] if {
	some name, change in {
		"nothing is said": {},
		"another flag": {"flags": ["reviewed"]},
		"touches more": {"changes": [{"resource": "Function/banner"}, {"resource": "Queue/orders"}]},
		"touches nothing": {"changes": []},
		"not all is shown": {"changes": [{"resource": "Function/banner"}], "truncated": true},
	}
	some item in freeze.require_for([_excepting], object.union(_facts, change))
	item.code == "freeze"
}

# What cannot be read holds.
test_faults[name] if {
	some name, freezes in {
		"no list": {"freezes": []},
		"no object": ["2026-12-20"],
		"a misspelt member": [object.union(_year_end, {"untill": "x"})],
		"no end": [object.remove(_year_end, ["to"])],
		"no reason": [object.remove(_year_end, ["reason"])],
		"no environments": [object.remove(_year_end, ["environments"])],
		"a date": [object.union(_year_end, {"from": "2026-12-20"})],
		"a number": [object.union(_year_end, {"from": 20261220})],
		"the wrong way round": [object.union(_year_end, {"to": "2026-12-19T00:00:00Z"})],
		"an exception that is none": [object.union(_year_end, {"except": "hotfix"})],
		"a misspelt exception": [object.union(_year_end, {"except": {"flag": ["hotfix"]}})],
		"an exception without a list": [object.union(_year_end, {"except": {"flags": "hotfix"}})],
	}
	count(freeze.faults(freezes)) > 0
	some a in freeze.require(freezes, "staging", 0)
	a.kind == "manual"
	some b in freeze.require_for(freezes, _facts)
	b.kind == "manual"
}

test_no_faults if {
	freeze.faults([_year_end, _excepting]) == set()
	freeze.faults([]) == set()
}
