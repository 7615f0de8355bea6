package policy.lib.window_test

import future.keywords.not

import data.policy.lib.window

_week := ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]

_days := {d | some d in _week}

_at(text) := time.parse_rfc3339_ns(text)

_office(zone) := {"days": _week, "from": "09:00", "to": "17:00", "zone": zone}

_night := {"days": ["Friday"], "from": "22:00", "to": "04:00", "zone": "Europe/Amsterdam"}

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

test_hours_over_midnight if {
	window.within(_at("2026-06-05T21:00:00Z"), "Europe/Amsterdam", {"Friday"}, 22, 4)
	window.within(_at("2026-06-06T01:59:00Z"), "Europe/Amsterdam", {"Friday"}, 22, 4)
	not window.within(_at("2026-06-06T02:00:00Z"), "Europe/Amsterdam", {"Friday"}, 22, 4)
	not window.within(_at("2026-06-05T01:00:00Z"), "Europe/Amsterdam", {"Friday"}, 22, 4)
}

# On 29 March 2026 Amsterdam moves from UTC+1 to UTC+2, on 8 March New York
# from UTC-5 to UTC-4: the wall clock decides, not the offset.
test_summer_time_opens_an_hour_earlier if {
	not window.within(_at("2026-03-27T07:30:00Z"), "Europe/Amsterdam", _days, 9, 17)
	window.within(_at("2026-03-30T07:30:00Z"), "Europe/Amsterdam", _days, 9, 17)
	not window.within(_at("2026-03-06T13:30:00Z"), "America/New_York", _days, 9, 17)
	window.within(_at("2026-03-09T13:30:00Z"), "America/New_York", _days, 9, 17)
}

# Each case is the first instant open and the first closed again.
test_amsterdam_to_the_minute[name] if {
	some name, c in {
		"before summer": {"opens": "2026-03-27T08:00:00Z", "closes": "2026-03-27T16:00:00Z"},
		"in summer": {"opens": "2026-03-30T07:00:00Z", "closes": "2026-03-30T15:00:00Z"},
		"after summer": {"opens": "2026-10-26T08:00:00Z", "closes": "2026-10-26T16:00:00Z"},
	}
	_to_the_minute([_office("Europe/Amsterdam")], c)
}

test_new_york_to_the_minute[name] if {
	some name, c in {
		"before summer": {"opens": "2026-03-06T14:00:00Z", "closes": "2026-03-06T22:00:00Z"},
		"in summer": {"opens": "2026-03-09T13:00:00Z", "closes": "2026-03-09T21:00:00Z"},
		"after summer": {"opens": "2026-11-02T14:00:00Z", "closes": "2026-11-02T22:00:00Z"},
	}
	_to_the_minute([_office("America/New_York")], c)
}

_to_the_minute(w, c) if {
	not window.open(w, _at(c.opens) - 1)
	window.open(w, _at(c.opens))
	window.open(w, _at(c.closes) - 1)
	not window.open(w, _at(c.closes))
	window.next_change(w, _at(c.opens) - 1) == _at(c.opens)
	window.next_change(w, _at(c.closes) - 1) == _at(c.closes)
}

# Over the weekend on which clocks change.
test_next_opening_is_by_the_new_offset[name] if {
	some name, c in {
		"Amsterdam forward": {"zone": "Europe/Amsterdam", "now": "2026-03-27T16:00:00Z", "next": "2026-03-30T07:00:00Z"},
		"Amsterdam back": {"zone": "Europe/Amsterdam", "now": "2026-10-23T15:00:00Z", "next": "2026-10-26T08:00:00Z"},
		"New York forward": {"zone": "America/New_York", "now": "2026-03-06T22:00:00Z", "next": "2026-03-09T13:00:00Z"},
		"New York back": {"zone": "America/New_York", "now": "2026-10-30T21:00:00Z", "next": "2026-11-02T14:00:00Z"},
	}
	window.next_change([_office(c.zone)], _at(c.now)) == _at(c.next)
}

# 02:30 is left out on 29 March: the window opens when the clock jumps, at 03:00.
test_hour_left_out if {
	w := [{"days": ["Sunday"], "from": "02:30", "to": "04:00", "zone": "Europe/Amsterdam"}]
	not window.open(w, _at("2026-03-29T00:59:59Z"))
	window.open(w, _at("2026-03-29T01:00:00Z"))
	window.next_change(w, _at("2026-03-28T12:00:00Z")) == _at("2026-03-29T01:00:00Z")
	window.next_change(w, _at("2026-03-29T01:00:00Z")) == _at("2026-03-29T02:00:00Z")
}

# A window that is left out altogether is next open a week later.
test_window_left_out if {
	w := [{"days": ["Sunday"], "from": "02:10", "to": "02:50", "zone": "America/New_York"}]
	window.next_change(w, _at("2026-03-01T08:00:00Z")) == _at("2026-03-15T06:10:00Z")
}

# On 25 October 02:30 comes twice, and the window is open twice.
test_hour_that_comes_twice if {
	w := [{"days": ["Sunday"], "from": "02:15", "to": "02:45", "zone": "Europe/Amsterdam"}]
	changes := ["2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", "2026-10-25T01:45:00Z"]
	every i in [0, 1, 2] {
		window.next_change(w, _at(changes[i])) == _at(changes[i + 1])
	}
	window.open(w, _at("2026-10-25T00:30:00Z"))
	not window.open(w, _at("2026-10-25T01:00:00Z"))
	window.open(w, _at("2026-10-25T01:30:00Z"))
}

# 01:30 to 02:30 closes, and opens once more when the clock goes back to 02:00.
test_clock_put_back_into_the_window if {
	w := [{"days": ["Sunday"], "from": "01:30", "to": "02:30", "zone": "Europe/Amsterdam"}]
	window.next_change(w, _at("2026-10-25T00:30:00Z")) == _at("2026-10-25T01:00:00Z")
	window.next_change(w, _at("2026-10-25T01:00:00Z")) == _at("2026-10-25T01:30:00Z")
}

test_overnight_belongs_to_the_day_it_opens_on if {
	w := [_night]
	not window.open(w, _at("2026-06-05T19:59:59Z"))
	window.open(w, _at("2026-06-05T20:00:00Z"))
	window.open(w, _at("2026-06-06T01:59:59Z"))
	not window.open(w, _at("2026-06-06T02:00:00Z"))
	not window.open(w, _at("2026-06-06T20:00:00Z"))
	window.next_change(w, _at("2026-06-05T20:00:00Z")) == _at("2026-06-06T02:00:00Z")
	window.next_change(w, _at("2026-06-06T02:00:00Z")) == _at("2026-06-12T20:00:00Z")
}

# Overnight on the night clocks go forward: five hours instead of six.
test_overnight_through_the_change if {
	w := [object.union(_night, {"days": ["Saturday"]})]
	window.next_change(w, _at("2026-03-28T21:00:00Z")) == _at("2026-03-29T02:00:00Z")
	window.next_change(w, _at("2026-10-24T20:00:00Z")) == _at("2026-10-25T03:00:00Z")
}

test_several if {
	w := [_office("Europe/Amsterdam"), _office("America/New_York")]
	window.open(w, _at("2026-06-01T08:00:00Z"))
	window.open(w, _at("2026-06-01T20:00:00Z"))
	window.next_change(w, _at("2026-06-01T08:00:00Z")) == _at("2026-06-01T21:00:00Z")
}

test_always_open_never_changes if {
	all_week := ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
	w := [{"days": all_week, "from": "00:00", "to": "24:00", "zone": "Europe/Amsterdam"}]
	window.open(w, _at("2026-06-01T22:00:00Z"))
	window.next_change(w, _at("2026-06-01T12:00:00Z")) == 0
}

test_only if {
	w := [_office("Europe/Amsterdam")]
	window.only(w, _at("2026-06-01T08:00:00Z")) == set()
	some item in window.only(w, _at("2026-06-05T15:00:00Z"))
	item.kind == "window"
	item.code == "window"
	item.until_ns == _at("2026-06-08T07:00:00Z")
	endswith(item.msg, "2026-06-08T07:00:00Z")
}

test_only_of_none_never_opens if {
	some item in window.only([], _at("2026-06-01T08:00:00Z"))
	item.until_ns == 0
	item.msg == "no change window is open"
}

test_never if {
	w := [object.union(_office("Europe/Amsterdam"), {"days": ["Friday"], "from": "00:00", "to": "24:00"})]
	window.never(w, _at("2026-06-04T21:59:59Z")) == set()
	some item in window.never(w, _at("2026-06-04T22:00:00Z"))
	item.code == "closed_time"
	item.until_ns == _at("2026-06-05T22:00:00Z")
	window.never([], 0) == set()
}

# What cannot be read holds, wherever it is asked.
test_faults[name] if {
	good := _office("Europe/Amsterdam")
	some name, windows in {
		"no list": {"production": good},
		"no object": ["09:00-17:00"],
		"a misspelt member": [object.union(good, {"form": "09:00"})],
		"a member less": [object.remove(good, ["zone"])],
		"no from": [object.remove(good, ["from"])],
		"no to": [object.remove(good, ["to"])],
		"no days": [object.remove(good, ["days"])],
		"a misspelt day": [object.union(good, {"days": ["Mon"]})],
		"a number": [object.union(good, {"from": 9})],
		"no time": [object.union(good, {"from": "9:00"})],
		"too late": [object.union(good, {"to": "24:01"})],
		"from the end": [object.union(good, {"from": "24:00"})],
		"nothing": [object.union(good, {"to": "09:00"})],
		"the machine's own zone": [object.union(good, {"zone": "Local"})],
		"no zone": [object.union(good, {"zone": ""})],
		"one of two": [good, object.union(good, {"to": null})],
	}
	count(window.faults(windows)) > 0
	some closed in window.only(windows, 0)
	closed.kind == "manual"
	some still in window.never(windows, 0)
	still.kind == "manual"
}

test_no_faults if {
	window.faults([_office("America/New_York"), _night, object.union(_night, {"to": "24:00", "zone": "UTC"})]) == set()
}
