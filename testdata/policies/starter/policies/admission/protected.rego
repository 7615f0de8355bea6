# What comes into a protected environment. Without an `allow` nothing does: here
# it is what was promoted into it, or a signed hotfix that somebody looked at.
package policy.admission.protected

import future.keywords.not

import data.policy.lib.approval
import data.policy.lib.blast_radius
import data.policy.lib.freeze

# What was promoted is known from the journal; a commit's message could claim
# anything.
allow if {
	input.environment.protected
	input.release.promoted
}

allow if {
	input.environment.protected
	_hotfix
}

# A hotfix says why in a trailer, "Hotfix: …", and is signed by a known key.
_hotfix if {
	input.commit.trailers.Hotfix != ""
	input.commit.signature.status == "valid"
}

deny contains finding if {
	input.environment.protected
	not input.release.promoted
	not _hotfix
	finding := {
		"code": "not_promoted",
		"msg": sprintf("this content was not promoted to %s, and the commit is no signed hotfix", [input.environment.name]),
		"remediation": "merge to the environment before it and let it be promoted, or sign the commit and add the trailer `Hotfix: why`",
	}
}

# Each `require` holds the commit until what it asks for is there. Mooring counts
# approvals: proved people, the author not among them.
require contains item if {
	input.environment.protected
	not input.release.promoted
	some item in approval.wanted(1, "a hotfix is looked at by a second person")
}

require contains item if {
	input.environment.protected
	some item in blast_radius.require_people(input.summary, data.config.limits.resources, data.config.limits.people)
}

require contains item if {
	input.environment.protected
	some item in freeze.require_for(data.config.freezes, input)
}
