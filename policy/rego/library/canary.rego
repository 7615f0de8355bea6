# METADATA
# title: Canaries
# description: |
#   That what matters is rolled out in stages. A function says how much it
#   matters by a label, `metadata: {labels: {tier: critical}}`. A function that
#   is new has nothing to go back to, and is left out.
package policy.lib.canary

import future.keywords.not

# METADATA
# title: missing
# description: One finding for each function of these tiers whose new version would get all calls at once.
# custom:
#   arguments:
#     changes: input.changes
#     tiers: a set of values of the label tier, {"critical"}
missing(changes, tiers) := {finding |
	some c in _released(changes, tiers)
	not _staged(c)
	finding := {
		"code": "canary_missing",
		"msg": sprintf("%s is %s, and would get all its calls on the new version at once", [c.resource, c.labels.tier]),
		"resource": c.resource,
		"remediation": "spec.rollout: {strategy: canary, stages: [{weight: 10, hold: 5m}, {weight: 100}]}",
	}
}

# METADATA
# title: steep
# description: One finding for each function of these tiers whose first stage gets more than most percent of its calls.
# custom:
#   arguments:
#     changes: input.changes
#     tiers: a set of values of the label tier
#     most: percent
steep(changes, tiers, most) := {finding |
	some c in _released(changes, tiers)
	not c.traffic.first_weight <= most
	finding := {
		"code": "canary_steep",
		"msg": sprintf("%s is %s, and its first stage is %d%%, more than %d%%", [c.resource, c.labels.tier, c.traffic.first_weight, most]),
		"resource": c.resource,
		"remediation": "begin spec.rollout.stages with a smaller weight",
	}
}

_released(changes, tiers) := {c |
	some c in changes
	c.kind == "Function"
	c.operation in {"update", "publish"}
	c.labels.tier in tiers
}

_staged(c) if {
	c.traffic.known
	c.traffic.stages > 1
	c.traffic.first_weight < 100
}
