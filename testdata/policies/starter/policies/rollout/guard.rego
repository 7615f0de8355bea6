# What stops a rollout beside the analysis. This package never says advance:
# going on is for the analysis to decide.
package policy.rollout.guard

abort contains finding if {
	some a in input.alarms
	a.state == "alarm"
	finding := {"code": "alarm", "msg": sprintf("alarm %s is on", [a.name])}
}

# When most calls of a canary fail, nobody waits for statistics.
abort contains finding if {
	some name, m in input.metrics
	endswith(name, ".canary.error_rate")
	m.known
	m.samples >= 20
	m.value > 0.5
	finding := {"code": "failing", "msg": sprintf("%s is %v after %d calls", [name, m.value, m.samples])}
}

pause contains finding if {
	input.environment.suspended
	finding := {"code": "suspended", "msg": sprintf("%s is suspended", [input.environment.name])}
}
