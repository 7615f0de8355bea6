package policy.lib.provenance_test

import data.policy.lib.provenance

_stated := {
	"kind": "provenance", "name": "build", "predicate_type": "https://slsa.dev/provenance/v1",
	"verified": true, "subject_match": true, "passed": true, "signer": "builder", "time_ns": 1,
}

test_stated if {
	provenance.require([_stated], provenance.slsa, ["builder"]) == set()
	provenance.stated([_stated], provenance.slsa, ["builder"]) == {"builder"}
}

test_not_good_enough[name] if {
	some name, change in {
		"not verified": {"verified": false},
		"of something else": {"subject_match": false},
		"of another type": {"predicate_type": "https://spdx.dev/Document"},
		"by somebody": {"signer": "somebody"},
		"by nobody": {"signer": ""},
	}
	some item in provenance.require([object.union(_stated, change)], provenance.slsa, ["builder", ""])
	item.kind == "attestation"
	item.code == "provenance"
}

test_nothing_at_all if {
	count(provenance.require([], provenance.slsa, ["builder"])) == 1
}

test_nobody_is_trusted[name] if {
	some name, signers in {"no list": "builder", "an empty list": [], "numbers": [1], "nothing": null}
	some item in provenance.require([_stated], provenance.slsa, signers)
	item.kind == "manual"
}
