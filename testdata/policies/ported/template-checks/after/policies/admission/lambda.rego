package policy.admission.lambda

import future.keywords.not

deny contains finding if {
	some c in input.changes
	c.kind == "Function"
	some f in c.fields
	f.path == "memorySize"
	f.after > data.config.lambda.memory
	finding := {
		"code": "memory",
		"msg": sprintf("%s: %d MB is more than %d", [c.resource, f.after, data.config.lambda.memory]),
		"resource": c.resource,
		"path": f.path,
	}
}

# What does not change is not in the plan: a function that is new without a
# destination for failures, or one that loses it.
deny contains finding if {
	some c in input.changes
	c.kind == "Function"
	c.operation == "create"
	not _destination(c.resource)
	finding := {"code": "dead_letters", "msg": sprintf("%s has nowhere to put what fails", [c.resource]), "resource": c.resource}
}

# Settings of a function that are resources of their own are told as changes of
# their own, Async/checkout beside Function/checkout.
_destination(function) if {
	some c in input.changes
	c.resource == concat("/", ["Async", split(function, "/")[1]])
	some f in c.fields
	startswith(f.path, "onFailure")
	f.after != null
}

warn contains finding if {
	some c in input.changes
	c.kind == "Function"
	some f in c.fields
	f.path == "timeout"
	f.after > 60
	finding := {"code": "timeout", "msg": sprintf("%s may run for %d seconds", [c.resource, f.after]), "resource": c.resource}
}
