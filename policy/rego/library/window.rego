# METADATA
# title: Change windows
# description: |
#   When changes may be made, by the clock on the wall of a time zone. A window
#   is an object with days ("Monday", …), from and to ("09:00", to excluded,
#   "24:00" for the end of the day) and zone ("Europe/Amsterdam"). One whose to
#   is before its from goes over midnight and belongs to the day it opens on.
#
#   Where clocks are put forward, a window that would open in the hour that is
#   left out opens when that hour would have begun; where they are put back,
#   the hour that comes twice counts both times.
package policy.lib.window

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: require
# description: One item while the environment's own window is closed, until it opens.
# custom:
#   arguments:
#     window: input.environment.window
require(window) := {item |
	not window.open
	item := {
		"kind": "window",
		"code": "window",
		"msg": "the change window is closed",
		"until_ns": window.next_change_ns,
	}
}

# METADATA
# title: only
# description: One item while none of the windows is open, until the next opens. No window at all never opens.
# custom:
#   arguments:
#     windows: a list of windows, as in policies/data/windows.yaml
#     now: input.request.time_ns
only(windows, now) := config.item("windows", faults(windows)) if {
	count(faults(windows)) > 0
} else := set() if {
	open(windows, now)
} else := {{
	"kind": "window",
	"code": "window",
	"msg": sprintf("no change window is open%s", [_until(next_change(windows, now))]),
	"until_ns": next_change(windows, now),
}}

# METADATA
# title: never
# description: One item while any of the windows is open, until they close. These are times in which nothing goes out.
# custom:
#   arguments:
#     windows: a list of windows
#     now: input.request.time_ns
never(windows, now) := config.item("windows", faults(windows)) if {
	count(faults(windows)) > 0
} else := {{
	"kind": "window",
	"code": "closed_time",
	"msg": sprintf("nothing goes out at this time%s", [_until(next_change(windows, now))]),
	"until_ns": next_change(windows, now),
}} if {
	open(windows, now)
} else := set()

_until(0) := ""

_until(t) := sprintf("; this changes at %s", [time.format(t)]) if t > 0

# METADATA
# title: open
# description: True while any of the windows is open.
# custom:
#   arguments:
#     windows: a list of windows
#     now: input.request.time_ns
open(windows, now) if {
	some w in windows
	_inside(w.zone, w.days, {"from": _of_day(w.from), "to": _of_day(w.to)}, now)
}

# METADATA
# title: within
# description: True from hour from until hour to (excluded) on the given days. A to before from is on the day after.
# custom:
#   arguments:
#     now: input.request.time_ns
#     zone: a time zone, "Europe/Amsterdam"
#     days: a set of days, {"Monday", …}
#     from: an hour, 0 to 23
#     to: an hour, 0 to 24
within(now, zone, days, from, to) if {
	_inside(zone, days, {"from": from * _hour, "to": to * _hour}, now)
}

_inside(zone, days, span, now) if {
	span.from < span.to
	time.weekday([now, _zone(zone)]) in days
	span.from <= _clock(now, zone)
	_clock(now, zone) < span.to
}

_inside(zone, days, span, now) if {
	span.from > span.to
	time.weekday([now, _zone(zone)]) in days
	span.from <= _clock(now, zone)
}

_inside(zone, days, span, now) if {
	span.from > span.to
	_before[time.weekday([now, _zone(zone)])] in days
	_clock(now, zone) < span.to
}

# METADATA
# title: next_change
# description: When the windows next open or close, in nanoseconds; 0 when they never do.
# custom:
#   arguments:
#     windows: a list of windows
#     now: input.request.time_ns
next_change(windows, now) := min(times) if {
	times := _changes(windows, now, 3)
	count(times) > 0
} else := min(times) if {
	times := _changes(windows, now, 15) # a Sunday's hour may be left out once
	count(times) > 0
} else := 0

_changes(windows, now, days) := {t |
	some w in windows
	some t in _edges(w, now, days) | _shifts(w.zone, now, days)
	t > now
	_state(windows, t) != _state(windows, now)
}

_state(windows, t) if open(windows, t)

else := false

# The instants at which the wall may show from or to: each by the offsets before
# and after, for a day on which clocks are changed.
_edges(w, now, days) := {t |
	offsets := _offsets(w.zone, now, days)
	some d in numbers.range(0, days)
	some edge in [w.from, w.to]
	wall := (_midnight(w.zone, now) + (d * 24 * _hour)) + _of_day(edge)
	some offset in {offsets[d], offsets[d + 3]}
	t := wall - offset
}

# The instants at which clocks are changed, to the minute.
_shifts(zone, now, days) := {t |
	offsets := _offsets(zone, now, days)
	some i in numbers.range(0, days + 2)
	offsets[i] != offsets[i + 1]
	some quarter in _jumps(zone, _before_all(zone, now) + (i * 24 * _hour), 6 * _hour, 3)
	some hour in _jumps(zone, quarter, _hour, 5)
	some ten in _jumps(zone, hour, 10 * _minute, 5)
	some one in _jumps(zone, ten, _minute, 9)
	t := one + _minute
}

# Where the offset changes within a step.
_jumps(zone, from, step, last) := {t |
	some i in numbers.range(0, last)
	t := from + (i * step)
	_offset(t, zone) != _offset(t + step, zone)
}

# The offsets at the same time of every day, from before today anywhere.
_offsets(zone, now, days) := [offset |
	some i in numbers.range(0, days + 3)
	offset := _offset(_before_all(zone, now) + (i * 24 * _hour), zone)
]

_before_all(zone, now) := _midnight(zone, now) - (14 * _hour)

_midnight(zone, now) := time.parse_rfc3339_ns(sprintf("%04d-%02d-%02dT00:00:00Z", time.date([now, _zone(zone)])))

# How far the wall is ahead of UTC.
_offset(t, zone) := wall - (t - (t % 1000000000)) if {
	wall := time.parse_rfc3339_ns(time.format([t, _zone(zone), "2006-01-02T15:04:05Z"]))
}

_clock(now, zone) := (((hours * 60) + minutes) * _minute) + (seconds * 1000000000) if {
	[hours, minutes, seconds] := time.clock([now, _zone(zone)])
}

_of_day(text) := time.parse_duration_ns(sprintf("%sh%sm", split(text, ":")))

# What is no name of a zone is an error, and so is the machine's own zone.
_zone(zone) := concat("", [zone, {true: "", false: " is no time zone"}[_named(zone)]])

_named(zone) := regex.match(`^([A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+|UTC)$`, zone)

_minute := 60 * 1000000000

_hour := 60 * _minute

_before := {
	"Monday": "Sunday", "Tuesday": "Monday", "Wednesday": "Tuesday", "Thursday": "Wednesday",
	"Friday": "Thursday", "Saturday": "Friday", "Sunday": "Saturday",
}

# METADATA
# title: faults
# description: What is wrong with a list of windows, as a set of texts.
# custom:
#   arguments:
#     windows: the list
faults(windows) := {"want a list"} if {
	not is_array(windows)
} else := {text |
	some i, w in windows
	some fault in _faults_of(w)
	text := sprintf("window %d: %s", [i + 1, fault])
}

_faults_of(w) := {"want an object with days, from, to and zone"} if {
	not is_object(w)
} else := union({
	config.unknown(w, {"days", "from", "to", "zone"}),
	config.texts(w, "days"),
	{sprintf("days: %v is no day", [d]) | some d in w.days; not _before[d]},
	{"from: want a time as in \"09:00\", in quotes" | not _is_time(w, "from")},
	{"to: want a time as in \"17:00\", in quotes" | not _is_time(w, "to"); not w.to == "24:00"},
	{"from and to are the same" | w.from == w.to},
	{"zone: want a name as in Europe/Amsterdam" | not _is_zone(w)},
})

_is_time(w, edge) if {
	is_string(w[edge])
	regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]$`, w[edge])
}

_is_zone(w) if {
	is_string(w.zone)
	_named(w.zone)
}
