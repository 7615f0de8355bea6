# METADATA
# title: Change size
# description: How big a release is to look at. What is bigger than a person can judge at a glance waits for one.
package policy.lib.change_size

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: fields
# description: How many fields a release changes in what is there already.
# custom:
#   arguments:
#     changes: input.changes
fields(changes) := count([1 |
	some c in changes
	c.operation != "create"
	some _ in c.fields
])

# METADATA
# title: code
# description: The functions that get other code.
# custom:
#   arguments:
#     changes: input.changes
code(changes) := {c.resource |
	some c in changes
	c.artifact.before != c.artifact.after
}

# METADATA
# title: require
# description: One item for each limit a release is beyond.
# custom:
#   arguments:
#     facts: input, of which changes and truncated are read
#     limits: an object with changes, fields and code, each a whole number; what is not in it is not limited
require(facts, limits) := config.item("limits", _faults(limits)) if {
	count(_faults(limits)) > 0
} else := {item |
	sizes := {"changes": count(facts.changes), "fields": fields(facts.changes), "code": count(code(facts.changes))}
	some what, most in limits
	_beyond(facts, sizes[what], most)
	item := {
		"kind": "approval",
		"code": "change_size",
		"msg": sprintf("%s: %d, more than %d", [what, sizes[what], most]),
	}
}

_beyond(_, size, most) if size > most

_beyond(facts, _, _) if facts.truncated

_faults(limits) := {"want an object with changes, fields or code"} if {
	not is_object(limits)
} else := config.unknown(limits, {"changes", "fields", "code"}) | {fault |
	some what, most in limits
	some fault in config.whole(what, most, 0)
}
