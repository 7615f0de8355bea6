# What stops a rollout beside its analysis. Asked before each stage and at each
# look. This package never says `advance`: going on is for the analysis.
package policy.rollout.guard

import data.policy.lib.alarms

abort contains finding if some finding in alarms.abort(input.alarms)

# When most calls of a canary fail, nobody waits for statistics.
abort contains finding if {
	some name, m in input.metrics
	endswith(name, ".canary.error_rate")
	m.known
	m.samples >= 20
	m.value > 0.5
	finding := {"code": "failing", "msg": sprintf("%s is %v after %d calls", [name, m.value, m.samples])}
}

pause contains finding if some finding in alarms.unknown(input.alarms)

pause contains finding if {
	input.environment.suspended
	finding := {"code": "suspended", "msg": sprintf("%s is suspended", [input.environment.name])}
}
