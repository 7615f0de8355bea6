# Times in which nothing new goes out.
package policy.lib.freeze

# active are the freezes that hold in environment now. freezes is a list of
# {environments, from, to, reason} with times as in 2026-12-20T00:00:00Z, kept
# in policies/data; an empty list of environments means all of them.
active(freezes, environment, now) := {f |
	some f in freezes
	_applies(f, environment)
	now >= time.parse_rfc3339_ns(f.from)
	now < time.parse_rfc3339_ns(f.to)
}

_applies(f, _) if count(f.environments) == 0

_applies(f, environment) if environment in f.environments

# require is one item for each active freeze, until its end.
require(freezes, environment, now) := {item |
	some f in active(freezes, environment, now)
	item := {
		"kind": "window",
		"code": "freeze",
		"msg": sprintf("frozen until %s: %s", [f.to, f.reason]),
		"until_ns": time.parse_rfc3339_ns(f.to),
	}
}
