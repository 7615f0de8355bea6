package policy.lib.window_test

import future.keywords.not

import data.policy.lib.window

_days := {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}

_at(text) := time.parse_rfc3339_ns(text)

test_open if {
	window.require({"open": true, "next_change_ns": 0}) == set()
}

test_closed_until if {
	some item in window.require({"open": false, "next_change_ns": 5})
	item.kind == "window"
	item.until_ns == 5
}

test_weekday_in_hours if {
	window.within(_at("2026-03-27T08:00:00Z"), "Europe/Amsterdam", _days, 9, 17)
}

test_end_is_excluded if {
	not window.within(_at("2026-03-27T16:00:00Z"), "Europe/Amsterdam", _days, 9, 17)
}

test_weekend if {
	not window.within(_at("2026-03-28T10:00:00Z"), "Europe/Amsterdam", _days, 9, 17)
}

# On 29 March 2026 Amsterdam moves from UTC+1 to UTC+2, on 8 March New York
# from UTC-5 to UTC-4: the wall clock decides, not the offset.
test_summer_time_opens_an_hour_earlier if {
	not window.within(_at("2026-03-27T07:30:00Z"), "Europe/Amsterdam", _days, 9, 17)
	window.within(_at("2026-03-30T07:30:00Z"), "Europe/Amsterdam", _days, 9, 17)
	not window.within(_at("2026-03-06T13:30:00Z"), "America/New_York", _days, 9, 17)
	window.within(_at("2026-03-09T13:30:00Z"), "America/New_York", _days, 9, 17)
}
