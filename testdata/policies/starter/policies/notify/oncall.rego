# Who hears of it. Events no rule routes go to the default receiver.
package policy.notify.oncall

route contains {"receiver": r, "severity": input.event.severity, "group_by": "resource"} if {
	input.event.severity in {"high", "critical"}
	some r in input.receivers
	r == "oncall"
}
