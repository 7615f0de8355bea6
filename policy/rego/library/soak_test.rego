package policy.lib.soak_test

import future.keywords.not

import data.policy.lib.soak

_good := {
	"environment": "staging", "content_match": true, "applied": true, "healthy": true, "held": false,
	"soak_seconds": 60, "checks": [{"name": "smoke", "known": true, "passed": true, "time_ns": 1}],
}

test_soaked if {
	soak.require([_good], 60, 1000) == set()
}

test_not_soaked_says_until_when if {
	some item in soak.require([_good], 61, 1000)
	item.kind == "soak"
	item.until_ns == 1000001000
	item.need == 61
	item.have == 60
}

test_each_upstream_by_itself if {
	other := object.union(_good, {"environment": "canary", "soak_seconds": 5})
	count(soak.require([_good, other], 30, 0)) == 1
}

test_settled if {
	soak.settled(_good)
	soak.unsettled([_good]) == set()
}

test_unsettled[name] if {
	some name, change in {
		"another content": {"content_match": false},
		"not in force": {"applied": false},
		"unhealthy": {"healthy": false},
		"held": {"held": true},
	}
	u := object.union(_good, change)
	not soak.settled(u)
	count(soak.unsettled([u])) == 1
}

test_checks_passed if {
	soak.checks([_good]) == set()
}

test_check_unknown_is_not_passed if {
	u := object.union(_good, {"checks": [{"name": "smoke", "known": false, "passed": true, "time_ns": 0}]})
	count(soak.checks([u])) == 1
}

test_check_failed if {
	u := object.union(_good, {"checks": [{"name": "smoke", "known": true, "passed": false, "time_ns": 1}]})
	count(soak.checks([u])) == 1
}

test_nothing_upstream_holds if {
	count(soak.require([], 60, 0)) == 1
	count(soak.unsettled([])) == 1
	soak.require([], 0, 0) == set()
}

test_seconds_have_to_be_a_number[name] if {
	some name, seconds in {"a text": "60", "nothing": null, "below": -1, "a part": 0.5}
	some item in soak.require([_good], seconds, 0)
	item.kind == "manual"
}

_facts := {"environment": {"name": "production"}, "upstream": [_good], "request": {"time_ns": 1000}}

test_table if {
	count(soak.require_from({"production": 61}, _facts)) == 1
	soak.require_from({"production": 60, "default": 61}, _facts) == set()
	count(soak.require_from({"default": 61}, _facts)) == 1
}

test_table_that_says_nothing_holds[name] if {
	some name, table in {
		"another environment": {"staging": 0}, "a misspelt default": {"defualt": 0}, "no table": [0],
		"no number": {"production": "none"}, "nothing": {"production": null},
	}
	some item in soak.require_from(table, _facts)
	item.kind == "manual"
	item.code == "soak_invalid"
}
