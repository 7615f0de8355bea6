# How much a release touches at once.
package policy.lib.blast_radius

# touched counts the resources a release changes. summary is input.summary.
touched(summary) := (summary.created + summary.updated) + summary.deleted

# require is one item when a release touches more than most resources.
require(summary, most) := {item |
	n := touched(summary)
	n > most
	item := {
		"kind": "approval",
		"code": "blast_radius",
		"msg": sprintf("touches %d resources, more than %d", [n, most]),
		"need": most,
		"have": n,
	}
}

# destroyed is one finding for each stateful kind of thing that would go.
destroyed(changes, kinds) := {finding |
	some c in changes
	c.operation == "delete"
	c.kind in kinds
	finding := {
		"code": "destroys_data",
		"msg": sprintf("%s would be deleted with what is in it", [c.resource]),
		"resource": c.resource,
	}
}
