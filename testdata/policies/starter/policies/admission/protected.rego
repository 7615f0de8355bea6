# What may come into a protected environment: what was promoted into it, or a
# signed hotfix that a person looked at.
package policy.admission.protected

import future.keywords.not

import data.policy.lib.blast_radius
import data.policy.lib.freeze

applies if input.environment.protected

# Whether this content was promoted here is known from the journal; the
# commit's message could claim anything.
allow if {
	applies
	input.release.promoted
}

allow if {
	applies
	hotfix
}

# A hotfix says why in a trailer, "Hotfix: …", and is signed by a known key.
hotfix if {
	input.commit.trailers.Hotfix != ""
	input.commit.signature.status == "valid"
}

deny contains finding if {
	applies
	not input.release.promoted
	not hotfix
	finding := {
		"code": "not_promoted",
		"msg": sprintf("this content was not promoted to %s, and the commit is no signed hotfix", [input.environment.name]),
		"remediation": "merge to the environment before it and let it be promoted, or sign the commit and add the trailer `Hotfix: why`",
	}
}

require contains item if {
	applies
	not input.release.promoted
	hotfix
	item := {"kind": "approval", "code": "hotfix", "msg": "a hotfix is looked at by a second person", "need": 1, "have": 0}
}

require contains item if {
	applies
	some item in blast_radius.require(input.summary, data.config.limits.resources)
}

require contains item if {
	applies
	some item in freeze.require(data.config.freezes, input.environment.name, input.request.time_ns)
}

deny contains finding if {
	applies
	some finding in blast_radius.destroyed(input.changes, {"Queue", "Table", "Bucket"})
}
