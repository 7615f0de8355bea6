package policy.admission.iam_test

import future.keywords.not

import data.policy.admission.iam

_input(promoted, risk) := {
	"environment": {"protected": true}, "release": {"promoted": promoted},
	"changes": [{"resource": "Function/checkout", "kind": "Function", "risk": risk}],
}

test_by_hand if {
	some item in iam.require with input as _input(false, ["iam"])
	item.need == 2
	item.msg == "rights change: Function/checkout"
}

test_nothing_asked[name] if {
	some name, i in {"promoted": _input(true, ["iam"]), "no rights": _input(false, [])}
	iam.require == set() with input as i
}

test_promoted_is_let_in if {
	iam.allow with input as _input(true, ["iam"])
	not iam.allow with input as _input(false, ["iam"])
}
