package policy.admission.lambda_test

import data.policy.admission.lambda

_change(resource, operation, path, after) := {
	"resource": resource, "kind": split(resource, "/")[0], "operation": operation,
	"fields": [{"path": path, "before": null, "after": after, "sensitive": false}],
}

_denied(changes) := codes if {
	found := lambda.deny with input.changes as changes with data.config.lambda as {"memory": 1024}
	codes := {f.code | some f in found}
}

test_memory if {
	_denied([_change("Function/checkout", "update", "memorySize", 1025)]) == {"memory"}
	_denied([_change("Function/checkout", "update", "memorySize", 1024)]) == set()
}

test_new_function if {
	_denied([_change("Function/checkout", "create", "timeout", 3)]) == {"dead_letters"}
	_denied([
		_change("Function/checkout", "create", "timeout", 3),
		_change("Async/checkout", "create", "onFailure", "arn:aws:sqs:eu-west-1:111111111111:dead"),
	]) == set()
}

test_timeout if {
	found := lambda.warn with input.changes as [_change("Function/checkout", "update", "timeout", 61)]
	{f.code | some f in found} == {"timeout"}
}
