package policy.lib.test_result_test

import data.policy.lib.test_result
import future.keywords.not

_result := {
	"kind": "test_result", "name": "unit", "predicate_type": test_result.predicate_type,
	"verified": true, "subject_match": true, "passed": true, "signer": "ci", "time_ns": 5,
}

test_passed if {
	test_result.passed([_result], "unit")
	test_result.require([_result], ["unit"]) == set()
	test_result.failed([_result]) == set()
}

test_not_passed[name] if {
	some name, change in {
		"failed": {"passed": false},
		"not verified": {"verified": false},
		"of something else": {"subject_match": false},
		"of another test": {"name": "load"},
		"of another kind": {"kind": "attestation"},
		"of another type": {"predicate_type": "https://slsa.dev/provenance/v1"},
	}
	evidence := [object.union(_result, change)]
	not test_result.passed(evidence, "unit")
	some item in test_result.require(evidence, ["unit"])
	item.kind == "attestation"
}

test_latest_counts if {
	failed := object.union(_result, {"passed": false, "time_ns": 6})
	not test_result.passed([_result, failed], "unit")
	test_result.passed([failed, object.union(_result, {"time_ns": 7})], "unit")
	not test_result.passed([_result, object.union(failed, {"time_ns": 5})], "unit")
	some finding in test_result.failed([_result, failed])
	finding.msg == "test unit failed"
}

test_names_that_are_no_list_hold if {
	some item in test_result.require([_result], "unit")
	item.kind == "manual"
}

test_what_proves_nothing_says_why if {
	evidence := [object.union(_result, {"verified": false, "source": "env/staging:evidence/unit.json", "why": "signed by none of the known keys"})]
	some item in test_result.require(evidence, ["unit"])
	contains(item.msg, "env/staging:evidence/unit.json (signed by none of the known keys)")
}
