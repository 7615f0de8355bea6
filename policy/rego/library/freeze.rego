# METADATA
# title: Freezes
# description: |
#   Times in which nothing new goes out, kept as a calendar in policies/data. A
#   freeze is an object with environments (an empty list means all of them),
#   from and to ("2026-12-20T00:00:00Z", with any offset), reason and, if wished,
#   except: {flags, resources}. What an earlier decision flagged with one of
#   those flags goes out all the same, and so does a release that touches
#   nothing but those resources.
package policy.lib.freeze

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: active
# description: The freezes that hold in an environment now, exceptions not counted.
# custom:
#   arguments:
#     freezes: the calendar
#     environment: input.environment.name
#     now: input.request.time_ns
active(freezes, environment, now) := {f |
	some f in freezes
	_applies(f, environment)
	now >= time.parse_rfc3339_ns(f.from)
	now < time.parse_rfc3339_ns(f.to)
}

_applies(f, _) if count(f.environments) == 0

_applies(f, environment) if environment in f.environments

# METADATA
# title: require
# description: One item for each active freeze, until its end. Exceptions are not counted; see require_for.
# custom:
#   arguments:
#     freezes: the calendar
#     environment: input.environment.name
#     now: input.request.time_ns
require(freezes, environment, now) := config.item("freezes", faults(freezes)) if {
	count(faults(freezes)) > 0
} else := {_item(f) | some f in active(freezes, environment, now)}

# METADATA
# title: require_for
# description: One item for each active freeze that makes no exception of this release, until its end.
# custom:
#   arguments:
#     freezes: the calendar
#     facts: input, of which environment, request, flags, changes and truncated are read
require_for(freezes, facts) := config.item("freezes", faults(freezes)) if {
	count(faults(freezes)) > 0
} else := {_item(f) |
	some f in active(freezes, facts.environment.name, facts.request.time_ns)
	not _excepted(f, facts)
}

_item(f) := {
	"kind": "window",
	"code": "freeze",
	"msg": sprintf("frozen until %s: %s", [f.to, f.reason]),
	"until_ns": time.parse_rfc3339_ns(f.to),
}

_excepted(f, facts) if {
	some flag in f.except.flags
	flag in facts.flags
}

_excepted(f, facts) if {
	facts.truncated == false
	count(facts.changes) > 0
	every c in facts.changes {
		c.resource in f.except.resources
	}
}

# METADATA
# title: faults
# description: What is wrong with a calendar, as a set of texts.
# custom:
#   arguments:
#     freezes: the calendar
faults(freezes) := {"want a list"} if {
	not is_array(freezes)
} else := {text |
	some i, f in freezes
	some fault in _faults_of(f)
	text := sprintf("freeze %d: %s", [i + 1, fault])
}

_faults_of(f) := {"want an object with environments, from, to and reason"} if {
	not is_object(f)
} else := union({
	config.unknown(f, {"environments", "from", "to", "reason", "except"}),
	config.texts(f, "environments"),
	config.text(f, "reason"),
	{sprintf("%s: want a time as in \"2026-12-20T00:00:00Z\", in quotes", [edge]) | some edge in ["from", "to"]; not _is_time(f, edge)},
	{"to is not after from" | _is_time(f, "from"); _is_time(f, "to"); time.parse_rfc3339_ns(f.to) <= time.parse_rfc3339_ns(f.from)},
	_faults_of_exception(object.get(f, "except", {})),
})

_faults_of_exception(except) := {"except: want an object with flags and resources"} if {
	not is_object(except)
} else := config.unknown(except, {"flags", "resources"}) | {fault |
	some name, _ in except
	some fault in config.texts(except, name)
}

_is_time(f, edge) if {
	is_string(f[edge])
	regex.match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$`, f[edge])
}
