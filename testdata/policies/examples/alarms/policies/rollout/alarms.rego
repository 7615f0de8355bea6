# No release goes on while alarms fire. An alarm that says nothing, and one that
# is not there, are no good news either.
package policy.rollout.alarms

import data.policy.lib.alarms

# Once traffic has moved it goes back …
abort contains finding if {
	input.rollout.weight > 0
	some finding in alarms.abort(input.alarms)
}

# … and before that it does not begin.
pause contains finding if {
	input.rollout.weight == 0
	some finding in alarms.abort(input.alarms)
}

pause contains finding if some finding in alarms.unknown(input.alarms)

pause contains finding if some finding in alarms.unwatched(input.alarms, data.config.alarms)
