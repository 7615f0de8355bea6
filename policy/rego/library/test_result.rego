# METADATA
# title: Test results
# description: |
#   What tests said of this very content, signed and verified. Of several results
#   of one name the latest counts.
package policy.lib.test_result

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: predicate_type
# description: The predicate type of a test result.
predicate_type := "https://in-toto.io/attestation/test-result/v0.1"

# METADATA
# title: require
# description: One item for each of the names whose latest result is not there, or is no pass.
# custom:
#   arguments:
#     evidence: input.evidence
#     names: a list of names, ["unit", "load"]
require(evidence, names) := config.item("test_results", config.texts({"names": names}, "names")) if {
	count(config.texts({"names": names}, "names")) > 0
} else := {item |
	some name in names
	not passed(evidence, name)
	item := {
		"kind": "attestation",
		"code": "test_result",
		"msg": sprintf("test %s %s", [name, _lacks(evidence, name)]),
		"need": 1,
		"have": 0,
	}
}

# METADATA
# title: passed
# description: True when the latest result of a name is a pass.
# custom:
#   arguments:
#     evidence: input.evidence
#     name: the name of the test
passed(evidence, name) if {
	latest := _latest(evidence, name)
	count(latest) > 0
	every e in latest {
		e.passed
	}
}

# METADATA
# title: failed
# description: One finding for each name whose latest result is a failure.
# custom:
#   arguments:
#     evidence: input.evidence
failed(evidence) := {finding |
	some name in {e.name | some e in evidence}
	some e in _latest(evidence, name)
	not e.passed
	finding := {"code": "test_failed", "msg": sprintf("test %s failed", [name])}
}

_lacks(evidence, name) := sprintf("has no verified result for this content%s", [_unproved(evidence)]) if {
	count(_latest(evidence, name)) == 0
} else := "has not passed"

# What lies about and proves nothing: whose statement was meant to be this one
# wants to know why.
_unproved(evidence) := sprintf("; not verified: %s", [concat(", ", array.slice(_refused(evidence), 0, 3))]) if {
	count(_refused(evidence)) > 0
} else := ""

_refused(evidence) := sort([sprintf("%s (%s)", [e.source, e.why]) |
	some e in evidence
	e.verified == false
	object.get(e, "source", "") != ""
])

_latest(evidence, name) := {e |
	some e in _of(evidence, name)
	e.time_ns == max({o.time_ns | some o in _of(evidence, name)})
}

_of(evidence, name) := {e |
	some e in evidence
	e.kind == "test_result"
	e.predicate_type == predicate_type
	e.name == name
	e.verified
	e.subject_match
}
