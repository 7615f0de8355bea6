# Who changes the rules of what is protected. This package judges policies that
# would take the place of those in force; it is asked before it is replaced.
package policy.activation.guard

import data.policy.lib.approval

allow if input.activation.tests > 0

# What lets through now what was held or denied lately is looked at by two people.
require contains item if {
	some flip in input.activation.replay.flips
	flip.opens
	some item in approval.require(input.activation.approvals, 2)
}

# So is a change of this very package.
require contains item if {
	some part in input.activation.packages
	startswith(part.name, "policy.activation.")
	some item in approval.require(input.activation.approvals, 2)
}

deny contains {"code": "untested", "msg": "these policies have no tests"} if input.activation.tests == 0
