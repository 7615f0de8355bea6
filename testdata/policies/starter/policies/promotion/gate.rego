# When a content moves on into an environment: it is in force and healthy in
# every environment before, its checks passed there, it has been there long
# enough, and the target has what its code expects. Where the target is
# protected, only within its hours and with approvals.
package policy.promotion.gate

import future.keywords.not

import data.policy.lib.approval
import data.policy.lib.freeze
import data.policy.lib.soak
import data.policy.lib.window

# `every` is true of an empty list: something has to be upstream.
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

require contains item if some item in soak.require_from(data.config.soak, input)

require contains item if some item in window.require(input.environment.window)

require contains item if {
	input.environment.protected
	some item in window.only(data.config.windows, input.request.time_ns)
}

require contains item if some item in freeze.require_for(data.config.freezes, input)

require contains item if {
	input.environment.protected
	some item in approval.require(input.approvals, data.config.approvals.people)
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
