package policy.admission.plan

import data.policy.lib.stateful

deny contains finding if some finding in stateful.deleted(input.changes)

# A sensitive value is a token: equal values have equal tokens, and that is all a
# policy can, and needs to, know. There is nothing to sanitize.
deny contains finding if {
	some c in input.changes
	some f in c.fields
	f.path == "environment.STRIPE_KEY"
	f.before != f.after
	finding := {"code": "key_changed", "msg": sprintf("%s: the key must not change", [c.resource]), "resource": c.resource, "path": f.path}
}

warn contains {"code": "deletes", "msg": "the release deletes something"} if input.summary.deleted > 0
