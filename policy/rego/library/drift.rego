# METADATA
# title: Responses to drift
# description: |
#   What is done about a difference, by who made it and where it is. Actors and
#   paths are given as patterns: * stands for any text, as in
#   "assumed-role/OnCall/*" and "environment.*". Of several answers to one item
#   the one that changes least wins.
package policy.lib.drift

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: by
# description: True of a difference whose actor is known and like one of the patterns.
# custom:
#   arguments:
#     i: one of input.items
#     patterns: a list of patterns of actors' names
by(i, patterns) if {
	i.actor.known
	some p in patterns
	_like(p, i.actor.name)
}

# METADATA
# title: revert_except
# description: |
#   Every difference is put back, but for what these actors did, which is held;
#   where nobody can say who it was, people are told and nothing is changed.
# custom:
#   arguments:
#     items: input.items
#     patterns: a list of patterns of actors' names, as in policies/data/drift.yaml
#     reason: why it is put back
revert_except(items, patterns, reason) := _told(items, "actors", config.texts({"actors": patterns}, "actors")) if {
	count(config.texts({"actors": patterns}, "actors")) > 0
} else := {action |
	some i in items
	action := _except(i, patterns, reason)
}

_except(i, patterns, reason) := {"item": i.id, "do": "alert", "reason": "nobody can say yet who it was"} if {
	not i.actor.known
} else := {"item": i.id, "do": "hold", "reason": sprintf("%s did it, who may", [i.actor.name])} if {
	by(i, patterns)
} else := {"item": i.id, "do": "revert", "reason": reason}

# METADATA
# title: hold_by
# description: What these actors did is held, because someone who breaks the glass is not fought.
# custom:
#   arguments:
#     items: input.items
#     patterns: a list of patterns of actors' names
#     reason: why it is held
hold_by(items, patterns, reason) := _told(items, "actors", config.texts({"actors": patterns}, "actors")) if {
	count(config.texts({"actors": patterns}, "actors")) > 0
} else := {action |
	some i in items
	by(i, patterns)
	action := {"item": i.id, "do": "hold", "reason": sprintf("%s: %s", [reason, i.actor.name])}
}

# METADATA
# title: revert
# description: Differences at these paths are put back.
# custom:
#   arguments:
#     items: input.items
#     paths: a list of patterns, "KIND PATH" as in "Function environment.*"
#     reason: why they are put back
revert(items, paths, reason) := _told(items, "paths", config.texts({"paths": paths}, "paths")) if {
	count(config.texts({"paths": paths}, "paths")) > 0
} else := {action |
	some i in items
	some p in paths
	_like(p, sprintf("%s %s", [i.kind_of_resource, i.path]))
	action := {"item": i.id, "do": "revert", "reason": reason}
}

# METADATA
# title: ignore
# description: |
#   Differences that a list names are ignored, with the reason that stands
#   there. What lets the public in or grants rights is told, whatever the list
#   says.
# custom:
#   arguments:
#     items: input.items
#     rules: a list of {resource, path, reason}, resource and path being patterns, as in policies/data/drift.yaml
ignore(items, rules) := _told(items, "ignore", _faults(rules)) if {
	count(_faults(rules)) > 0
} else := {action |
	some i in items
	some r in rules
	_like(r.resource, i.resource)
	_like(r.path, i.path)
	action := {"item": i.id, "do": _quietly(i), "reason": r.reason}
}

_quietly(i) := "ignore" if i.open == false

else := "alert"

# METADATA
# title: tired
# description: What was put back so often already is held, because somebody wants it otherwise.
# custom:
#   arguments:
#     items: input.items
#     rounds: how often is enough
tired(items, rounds) := {action |
	some i in items
	not i.rounds < rounds
	action := {"item": i.id, "do": "hold", "reason": sprintf("put back %d times already", [i.rounds])}
}

_like(pattern, value) if glob.match(pattern, [], value)

_told(items, what, faults) := {action |
	some i in items
	some fault in config.item(what, faults)
	action := {"item": i.id, "do": "alert", "reason": fault.msg}
}

_faults(rules) := {"want a list of {resource, path, reason}"} if {
	not is_array(rules)
} else := {text |
	some n, r in rules
	some fault in _faults_of(r)
	text := sprintf("rule %d: %s", [n + 1, fault])
}

_faults_of(r) := {"want an object with resource, path and reason"} if {
	not is_object(r)
} else := config.unknown(r, {"resource", "path", "reason"}) | {fault |
	some name in ["resource", "path", "reason"]
	some fault in config.text(r, name)
}
