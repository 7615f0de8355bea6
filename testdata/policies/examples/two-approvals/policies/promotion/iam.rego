# A change of rights is looked at by two people, one of them of the security team.
package policy.promotion.iam

import data.policy.lib.approval
import data.policy.lib.iam
import data.policy.lib.soak

require contains item if {
	count(iam.changed(input.changes)) > 0
	some item in approval.require(input.approvals, 2)
}

require contains item if {
	count(iam.changed(input.changes)) > 0
	some item in approval.require_teams(input.approvals, {"security": 1})
}

allow if {
	count(input.upstream) > 0
	every u in input.upstream {
		soak.settled(u)
	}
}
