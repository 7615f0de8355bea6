# What changes who may do what. A package below policy.lib is for your own
# helpers; what several packages need goes there.
package policy.lib.iam

changed(changes) := {c.resource |
	some c in changes
	_about_rights(c)
}

_about_rights(c) if "iam" in c.risk

_about_rights(c) if c.kind in {"Role", "Policy", "Permission"}
