# METADATA
# title: Approvals
# description: |
#   Who said yes. A person counts once, however often they approve and however
#   they spell their name; an author of the content never does. Only proved
#   identities count, but for counted_in, which counts stated ones where the
#   environment is not protected.
#
#   At promotion a policy sees approvals and can count for itself (require,
#   require_teams). At every point it can leave the counting to Mooring (wanted),
#   which counts proved people who are not authors and knew the findings.
package policy.lib.approval

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: counted
# description: The people whose approval counts, identities proved and authors left out, in lower case.
# custom:
#   arguments:
#     approvals: input.approvals
counted(approvals) := {lower(a.name) |
	some a in approvals
	_counts(a)
	a.verified
}

_counts(a) if {
	a.author == false
	trim_space(a.name) != ""
}

# METADATA
# title: counted_in
# description: The same, but where the environment is not protected an identity that is only stated counts too.
# custom:
#   arguments:
#     facts: input, of which environment and approvals are read
counted_in(facts) := counted(facts.approvals) if {
	not facts.environment.protected == false
} else := {lower(a.name) |
	some a in facts.approvals
	_counts(a)
}

# METADATA
# title: by_team
# description: The people of one team, or of one role, whose approval counts.
# custom:
#   arguments:
#     approvals: input.approvals
#     team: its name
by_team(approvals, team) := {lower(a.name) |
	some a in approvals
	_counts(a)
	a.verified
	team in a.teams
}

# METADATA
# title: wanted
# description: One item that Mooring settles once need people approved. It is there whenever it is asked for.
# custom:
#   arguments:
#     need: how many people
#     msg: what they are to look at
wanted(need, msg) := config.item("approvals", config.whole("need", need, 1)) if {
	count(config.whole("need", need, 1)) > 0
} else := {{"kind": "approval", "code": "approval_wanted", "msg": msg, "need": need}}

# METADATA
# title: require
# description: One item while fewer than need people approved.
# custom:
#   arguments:
#     approvals: input.approvals
#     need: how many; two means that no single person can let it in
require(approvals, need) := config.item("approvals", config.whole("need", need, 1)) if {
	count(config.whole("need", need, 1)) > 0
} else := {item |
	have := count(counted(approvals))
	have < need
	item := {
		"kind": "approval",
		"code": "approval",
		"msg": sprintf("approved by %d of %d people, the authors not counted", [have, need]),
		"need": need,
		"have": have,
	}
}

# METADATA
# title: require_teams
# description: One item for each team of which fewer people approved than it needs.
# custom:
#   arguments:
#     approvals: input.approvals
#     needs: an object of teams with how many of each, as in policies/data/approvals.yaml
require_teams(approvals, needs) := config.item("approvals", _faults(needs)) if {
	count(_faults(needs)) > 0
} else := {item |
	some team, need in needs
	have := count(by_team(approvals, team))
	have < need
	item := {
		"kind": "approval",
		"code": sprintf("approval_%s", [team]),
		"msg": sprintf("approved by %d of %d people of %s, the authors not counted", [have, need, team]),
		"need": need,
		"have": have,
	}
}

_faults(needs) := {"want how many of each team"} if {
	not is_object(needs)
} else := {fault |
	some team, need in needs
	some fault in config.whole(team, need, 1)
}
