# How long a content has been in force upstream.
package policy.lib.soak

# require is one item for each upstream where the content has not yet been in
# force for seconds. upstreams is input.upstream, now input.request.time_ns.
require(upstreams, seconds, now) := {item |
	some u in upstreams
	u.soak_seconds < seconds
	item := {
		"kind": "soak",
		"code": "soak",
		"msg": sprintf("%s: in force for %d of %d seconds", [u.environment, u.soak_seconds, seconds]),
		"need": seconds,
		"have": u.soak_seconds,
		"until_ns": now + ((seconds - u.soak_seconds) * 1000000000),
	}
}

# settled is true of an upstream that has the content in force, healthy and
# unheld.
settled(u) if {
	u.content_match
	u.applied
	u.healthy
	u.held == false
}

# unsettled is one item for each upstream that is not settled.
unsettled(upstreams) := {item |
	some u in upstreams
	reason := _unsettled(u)
	item := {
		"kind": "check",
		"code": "upstream_unsettled",
		"msg": sprintf("%s: %s", [u.environment, reason]),
	}
}

_unsettled(u) := "has another content" if {
	u.content_match == false
} else := "the content is not in force yet" if {
	u.applied == false
} else := "the content is not healthy" if {
	u.healthy == false
} else := "is held" if {
	u.held
}

# checks is one item for each check of an upstream that has not passed for this
# content.
checks(upstreams) := {item |
	some u in upstreams
	some c in u.checks
	state := _unpassed(c)
	item := {
		"kind": "check",
		"code": "check",
		"msg": sprintf("%s: check %s %s", [u.environment, c.name, state]),
	}
}

_unpassed(c) := "has not run yet" if {
	c.known == false
} else := "has not passed" if {
	c.passed == false
}
