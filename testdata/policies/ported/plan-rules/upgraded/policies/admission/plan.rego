package policy.admission.plan

deny contains sprintf("%s must not be destroyed", [change.address]) if {
	change := input.terraform.resource_changes[_]
	change.type == "aws_sqs_queue"
	change.change.actions[_] == "delete"
}

deny contains sprintf("%s: the key must not change", [change.address]) if {
	change := input.terraform.resource_changes[_]
	change.change.before.environment[_].variables.STRIPE_KEY != sanitized(allowed_key)
	change.change.after.environment[_].variables.STRIPE_KEY != sanitized(allowed_key)
}

allowed_key := "sk_live_1"

warn contains "the run deletes something" if {
	input.spacelift.run.changes[_].action == "deleted"
}

sample := true
