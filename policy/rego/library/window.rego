# When changes may be made.
package policy.lib.window

# require is one item while the environment's own window is closed. window is
# input.environment.window.
require(window) := {item |
	window.open == false
	item := {
		"kind": "window",
		"code": "window",
		"msg": "the change window is closed",
		"until_ns": window.next_change_ns,
	}
}

# within is true from hour from until hour to (wall clock of zone, to excluded)
# on the given days ("Monday", …). now is input.request.time_ns.
within(now, zone, days, from, to) if {
	time.weekday([now, zone]) in days
	[hour, _, _] := time.clock([now, zone])
	hour >= from
	hour < to
}
