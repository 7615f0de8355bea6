# The same for what is committed by hand. At admission a policy is not told who
# approved: it asks, and Mooring counts.
package policy.admission.iam

import future.keywords.not

import data.policy.lib.approval
import data.policy.lib.iam

require contains item if {
	not input.release.promoted
	rights := iam.changed(input.changes)
	count(rights) > 0
	some item in approval.wanted(2, sprintf("rights change: %s", [concat(", ", sort(rights))]))
}

# What is let in besides is said elsewhere, as in the folder that init writes.
allow if input.release.promoted
