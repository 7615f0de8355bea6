package policy.promotion.iam_test

import data.policy.promotion.iam

_yes(name, teams) := {"name": name, "verified": true, "author": false, "teams": teams}

_input(kind, approvals) := {
	"changes": [{"resource": sprintf("%s/checkout", [kind]), "kind": kind, "risk": []}],
	"approvals": approvals,
	"upstream": [{"environment": "staging", "content_match": true, "applied": true, "healthy": true, "held": false}],
}

_codes(i) := codes if {
	found := iam.require with input as i
	codes := {item.code | some item in found}
}

test_two_with_security if _codes(_input("Role", [_yes("ann", ["security"]), _yes("bob", [])])) == set()

test_two_without_security if _codes(_input("Role", [_yes("ann", []), _yes("bob", [])])) == {"approval_security"}

test_one_twice if {
	_codes(_input("Permission", [_yes("ann", ["security"]), _yes("Ann", ["security"])])) == {"approval"}
}

test_the_author_does_not_count if {
	author := object.union(_yes("dev", ["security"]), {"author": true})
	_codes(_input("Role", [author, _yes("bob", [])])) == {"approval", "approval_security"}
}

test_unproved_does_not_count if {
	stated := object.union(_yes("eve", ["security"]), {"verified": false})
	_codes(_input("Role", [stated, _yes("bob", [])])) == {"approval", "approval_security"}
}

test_no_rights_no_people if _codes(_input("Function", [])) == set()

test_settled_is_allowed if iam.allow with input as _input("Function", [])
