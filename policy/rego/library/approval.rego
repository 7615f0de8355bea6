# Who said yes.
package policy.lib.approval

# counted are the people whose approval counts: their identity was verified and
# they did not write the content. approvals is input.approvals.
counted(approvals) := {a.name |
	some a in approvals
	a.verified
	a.author == false
	a.name != ""
}

# by_team is the same, of one team.
by_team(approvals, team) := {a.name |
	some a in approvals
	a.verified
	a.author == false
	a.name != ""
	team in a.teams
}

# require is one item while fewer than need people approved.
require(approvals, need) := {item |
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
