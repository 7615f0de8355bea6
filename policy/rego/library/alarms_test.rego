package policy.lib.alarms_test

import data.policy.lib.alarms

_alarms := [{"name": "late", "state": "alarm"}, {"name": "errors", "state": "ok"}, {"name": "new", "state": "insufficient_data"}]

test_firing if {
	alarms.firing(_alarms) == {"late"}
	{f.code | some f in alarms.abort(_alarms)} == {"alarm"}
}

test_unknown if {
	some finding in alarms.unknown(_alarms)
	finding.msg == "alarm new says nothing (insufficient_data)"
}

test_all_is_well if {
	ok := [{"name": "errors", "state": "ok"}]
	alarms.abort(ok) == set()
	alarms.unknown(ok) == set()
	alarms.unwatched(ok, ["errors"]) == set()
}

test_unwatched if {
	some finding in alarms.unwatched(_alarms, ["late", "gone"])
	finding == {"code": "alarm_unwatched", "msg": "alarm gone is not there"}
}

test_names_that_are_no_list if {
	some finding in alarms.unwatched(_alarms, "late")
	finding.code == "alarms_invalid"
}
