# METADATA
# title: Blast radius
# description: |
#   How much a release touches at once, and what it would take away. What is
#   beyond a limit waits for people; Mooring counts their approvals.
package policy.lib.blast_radius

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: touched
# description: How many resources a release creates, updates and deletes, children not counted.
# custom:
#   arguments:
#     summary: input.summary
touched(summary) := (summary.created + summary.updated) + summary.deleted

# METADATA
# title: share
# description: The share of functions, 0 to 1, that a release updates or deletes. New ones are not counted.
# custom:
#   arguments:
#     facts: input, of which changes and summary are read
share(facts) := count(_changed_functions(facts)) / total if {
	total := facts.summary.functions + count(_deleted_functions(facts))
	total > 0
} else := 0

_changed_functions(facts) := {c.resource |
	some c in facts.changes
	c.kind == "Function"
	c.operation != "create"
}

_deleted_functions(facts) := {c.resource |
	some c in facts.changes
	c.kind == "Function"
	c.operation == "delete"
}

# METADATA
# title: require
# description: One item when a release touches more than most resources; one person's approval settles it.
# custom:
#   arguments:
#     summary: input.summary
#     most: a whole number
require(summary, most) := require_people(summary, most, 1)

# METADATA
# title: require_people
# description: The same with the number of people whose approval it takes. Mooring counts them.
# custom:
#   arguments:
#     summary: input.summary
#     most: a whole number
#     need: how many people
require_people(summary, most, need) := config.item("limits", _numbers(most, need)) if {
	count(_numbers(most, need)) > 0
} else := {item |
	touched(summary) > most
	item := {
		"kind": "approval",
		"code": "blast_radius",
		"msg": sprintf("touches %d resources, more than %d", [touched(summary), most]),
		"need": need,
	}
}

_numbers(most, need) := config.whole("most", most, 0) | config.whole("need", need, 1)

# METADATA
# title: require_share
# description: One item when a release updates or deletes more than a share of all functions.
# custom:
#   arguments:
#     facts: input, of which changes, summary and truncated are read
#     most: a number from 0 to 1
require_share(facts, most) := config.item("limits", {"want a share from 0 to 1"}) if {
	not _is_share(most)
} else := {item |
	_wider(facts, most)
	item := {
		"kind": "approval",
		"code": "blast_radius_share",
		"msg": sprintf("changes %d%% of the functions, more than %d%%", [round(share(facts) * 100), round(most * 100)]),
	}
}

_is_share(most) if {
	is_number(most)
	most >= 0
	most <= 1
}

_wider(facts, most) if share(facts) > most

_wider(facts, _) if facts.truncated

# METADATA
# title: deletes
# description: One item when a release deletes more than most resources.
# custom:
#   arguments:
#     summary: input.summary
#     most: a whole number
deletes(summary, most) := config.item("limits", config.whole("most", most, 0)) if {
	count(config.whole("most", most, 0)) > 0
} else := {item |
	summary.deleted > most
	item := {
		"kind": "approval",
		"code": "deletes",
		"msg": sprintf("deletes %d resources, more than %d", [summary.deleted, most]),
	}
}

# METADATA
# title: destroyed
# description: One finding for each resource of these kinds that would be deleted with what is in it; see also policy.lib.stateful.
# custom:
#   arguments:
#     changes: input.changes
#     kinds: a set of kinds, {"Queue", "Table"}
destroyed(changes, kinds) := {finding |
	some c in changes
	c.operation == "delete"
	c.kind in kinds
	finding := {
		"code": "destroys_data",
		"msg": sprintf("%s would be deleted with what is in it", [c.resource]),
		"resource": c.resource,
	}
}
