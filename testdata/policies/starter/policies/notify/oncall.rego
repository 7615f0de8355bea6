# Who hears of it. Events no rule routes go to the default receiver, and nothing
# here can silence what tells of Mooring's own faults.
package policy.notify.oncall

# What is grave goes to whoever is on call, where such a receiver is declared.
route contains {"receiver": r, "severity": input.event.severity, "group_by": "resource"} if {
	input.event.severity in {"high", "critical"}
	some r in input.receivers
	r in data.config.receivers.grave
}
