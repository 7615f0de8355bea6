# METADATA
# title: Soak
# description: |
#   How long a content has been in force upstream, how it stands there, and
#   what its checks said. Nothing upstream is nothing proved: it holds.
package policy.lib.soak

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: require
# description: One item for each upstream where the content has not yet been in force for seconds, until it will have been.
# custom:
#   arguments:
#     upstreams: input.upstream
#     seconds: a whole number
#     now: input.request.time_ns
require(upstreams, seconds, now) := config.item("soak", config.whole("seconds", seconds, 0)) if {
	count(config.whole("seconds", seconds, 0)) > 0
} else := {_nothing} if {
	count(upstreams) == 0
	seconds > 0
} else := {item |
	some u in upstreams
	not u.soak_seconds >= seconds
	item := {
		"kind": "soak",
		"code": "soak",
		"msg": sprintf("%s: in force for %d of %d seconds", [u.environment, u.soak_seconds, seconds]),
		"need": seconds,
		"have": u.soak_seconds,
		"until_ns": now + ((seconds - u.soak_seconds) * 1000000000),
	}
}

# METADATA
# title: require_from
# description: |
#   The same by a table of seconds by environment, {"production": 3600, "default":
#   600}. An environment that is not in it takes the default, and where there is
#   no default either, is held.
# custom:
#   arguments:
#     table: the table, as in policies/data/soak.yaml
#     facts: input, of which environment, upstream and request are read
require_from(table, facts) := require(facts.upstream, table[facts.environment.name], facts.request.time_ns) if {
	is_object(table)
	facts.environment.name in object.keys(table)
} else := require(facts.upstream, table.default, facts.request.time_ns) if {
	is_object(table)
	"default" in object.keys(table)
} else := config.item("soak", {sprintf("nothing is said about %s, and there is no default", [facts.environment.name])})

# METADATA
# title: settled
# description: True of an upstream that has the content in force, healthy and not held.
# custom:
#   arguments:
#     u: one of input.upstream
settled(u) if {
	u.content_match
	u.applied
	u.healthy
	u.held == false
}

# METADATA
# title: unsettled
# description: One item for each upstream that is not settled, saying why, or one where there is no upstream.
# custom:
#   arguments:
#     upstreams: input.upstream
unsettled(upstreams) := {_nothing} if {
	count(upstreams) == 0
} else := {item |
	some u in upstreams
	not settled(u)
	item := {
		"kind": "check",
		"code": "upstream_unsettled",
		"msg": sprintf("%s: %s", [u.environment, _unsettled(u)]),
	}
}

_nothing := {
	"kind": "check",
	"code": "upstream_unsettled",
	"msg": "there is no environment before this one to prove anything",
}

_unsettled(u) := "has another content" if {
	not u.content_match
} else := "the content is not in force yet" if {
	not u.applied
} else := "the content is not healthy" if {
	not u.healthy
} else := "is held"

# METADATA
# title: checks
# description: One item for each check of an upstream that has not passed for this content.
# custom:
#   arguments:
#     upstreams: input.upstream
checks(upstreams) := {item |
	some u in upstreams
	some c in u.checks
	not _passed(c)
	item := {
		"kind": "check",
		"code": "check",
		"msg": sprintf("%s: check %s %s", [u.environment, c.name, _unpassed(c)]),
	}
}

_passed(c) if {
	c.known
	c.passed
}

_unpassed(c) := "has not run yet" if {
	not c.known
} else := "has not passed"
