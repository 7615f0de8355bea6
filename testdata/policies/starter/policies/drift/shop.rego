# What is put back. About everything else this package says nothing, and the
# built-in catalogue decides: it holds what is usually an operator's
# mitigation, such as reserved concurrency 0, more memory, or a trigger that
# was switched off.
package policy.drift.shop

# The shop's configuration and code come from Git alone.
action contains {"item": i.id, "do": "revert", "reason": "configuration and code come from Git"} if {
	some i in input.items
	i.kind_of_resource == "Function"
	some prefix in ["environment", "code", "artifact", "handler", "runtime", "layers"]
	startswith(i.path, prefix)
}

# Traffic is moved by releases. Whoever wants an older version back uses
# `mooring rollback`, which is as fast and leaves a hold.
action contains {"item": i.id, "do": "revert", "reason": "traffic is moved by releases"} if {
	some i in input.items
	i.kind_of_resource == "Alias"
}

# Nobody but Git gives a function more callers.
action contains {"item": i.id, "do": "revert", "reason": "callers are declared in Git"} if {
	some i in input.items
	i.kind_of_resource in {"Trigger", "Permission", "Url"}
	i.kind == "extra"
}

action contains {"item": i.id, "do": "revert", "reason": "callers are declared in Git"} if {
	some i in input.items
	i.kind_of_resource == "Permission"
	i.kind != "extra"
}

# Somebody who keeps putting it back is not fought, but asked.
action contains {"item": i.id, "do": "hold", "reason": sprintf("put back %d times already", [i.rounds])} if {
	some i in input.items
	i.rounds >= 3
}
