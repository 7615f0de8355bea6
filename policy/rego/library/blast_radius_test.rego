package policy.lib.blast_radius_test

import future.keywords.not

import data.policy.lib.blast_radius

_summary := {"created": 1, "updated": 2, "deleted": 3, "stateful_deleted": 0, "managed": 9, "functions": 3}

_change(resource, operation) := {"resource": resource, "kind": split(resource, "/")[0], "operation": operation}

_facts := {
	"summary": _summary, "truncated": false,
	"changes": [
		_change("Function/a", "update"), _change("Function/a", "publish"), _change("Function/b", "delete"),
		_change("Function/c", "create"), _change("Queue/q", "update"),
	],
}

test_counts_all if {
	blast_radius.touched(_summary) == 6
	blast_radius.require(_summary, 6) == set()
}

test_too_much if {
	some item in blast_radius.require(_summary, 5)
	item.kind == "approval"
	item.need == 1
	item.msg == "touches 6 resources, more than 5"
}

# Two of the three that are there and the one that goes.
test_share if {
	blast_radius.share(_facts) == 0.5
	blast_radius.share({"summary": {"functions": 0}, "changes": []}) == 0
	blast_radius.require_share(_facts, 0.5) == set()
	some item in blast_radius.require_share(_facts, 0.4)
	item.code == "blast_radius_share"
	item.msg == "changes 50% of the functions, more than 40%"
}

test_share_of_what_is_not_all_shown if {
	count(blast_radius.require_share(object.union(_facts, {"truncated": true}), 1)) == 1
}

test_deletes if {
	blast_radius.deletes(_summary, 3) == set()
	some item in blast_radius.deletes(_summary, 2)
	item.code == "deletes"
}

test_people if {
	blast_radius.require_people(_summary, 6, 2) == set()
	some item in blast_radius.require_people(_summary, 5, 2)
	item.need == 2
	not "have" in object.keys(item) # Mooring counts
}

test_limits_that_make_no_sense_hold[name] if {
	some name, most in {"a text": "5", "nothing": null, "below": -1}
	every found in [
		blast_radius.require(_summary, most), blast_radius.deletes(_summary, most), blast_radius.require_share(_facts, most),
		blast_radius.require_people(_summary, most, 1), blast_radius.require_people(_summary, 5, most),
	] {
		some item in found
		item.kind == "manual"
	}
}

test_share_is_no_percentage if {
	some item in blast_radius.require_share(_facts, 50)
	item.code == "limits_invalid"
}

test_destroys if {
	changes := [_change("Queue/orders", "delete"), _change("Queue/mails", "update"), _change("Function/checkout", "delete")]
	some finding in blast_radius.destroyed(changes, {"Queue", "Table"})
	finding.resource == "Queue/orders"
	count(blast_radius.destroyed(changes, {"Queue", "Table"})) == 1
}
