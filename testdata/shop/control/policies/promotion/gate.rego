# When a content moves on: it is in force and healthy upstream, its checks
# passed there, it has soaked, and the target has what its code expects.
package policy.promotion.gate

import future.keywords.not

import data.policy.lib.freeze
import data.policy.lib.soak
import data.policy.lib.window

allow if {
	count(input.upstream) > 0
	every u in input.upstream {
		soak.settled(u)
	}
	input.contract.satisfied
	not input.environment.suspended
}

require contains item if some item in soak.unsettled(input.upstream)

require contains item if some item in soak.checks(input.upstream)

require contains item if {
	seconds := object.get(data.config.soak, input.environment.name, data.config.soak.default)
	some item in soak.require(input.upstream, seconds, input.request.time_ns)
}

require contains item if some item in window.require(input.environment.window)

require contains item if {
	some item in freeze.require(data.config.freezes, input.environment.name, input.request.time_ns)
}

# A release that passed every test still fails where what it expects is gone.
require contains item if {
	some b in input.contract.broken
	item := {
		"kind": "check",
		"code": "contract",
		"msg": sprintf("%s expects %s in %s: %s", [b.resource, b.expects, input.environment.name, b.why]),
		"resource": b.resource,
	}
}

require contains item if {
	not input.contract.satisfied
	count(input.contract.broken) == 0
	item := {"kind": "check", "code": "contract", "msg": sprintf("%s does not have what the code expects", [input.environment.name])}
}

require contains item if {
	input.environment.suspended
	item := {"kind": "manual", "code": "suspended", "msg": sprintf("%s is suspended", [input.environment.name])}
}
