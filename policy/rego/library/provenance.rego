# METADATA
# title: Provenance
# description: |
#   Where code comes from. A statement counts when its signature was verified,
#   its subject is this very content, its predicate has the wanted type, and its
#   signer is one of those trusted. Any valid statement is not the wanted one.
package policy.lib.provenance

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: slsa
# description: The predicate types of SLSA provenance.
slsa := {"https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"}

# METADATA
# title: require
# description: One item while no trusted signer stated where the content was built.
# custom:
#   arguments:
#     evidence: input.evidence
#     types: a set of predicate types, provenance.slsa
#     signers: a list of signers' names, as in policies/data/signers.yaml
require(evidence, types, signers) := config.item("signers", _faults(signers)) if {
	count(_faults(signers)) > 0
} else := {item |
	count(stated(evidence, types, signers)) == 0
	item := {
		"kind": "attestation",
		"code": "provenance",
		"msg": sprintf("no trusted signer states where this content was built (%s)", [concat(", ", sort(types))]),
		"need": 1,
		"have": 0,
	}
}

# METADATA
# title: stated
# description: The signers of the statements that count.
# custom:
#   arguments:
#     evidence: input.evidence
#     types: a set of predicate types
#     signers: a list of signers' names
stated(evidence, types, signers) := {e.signer |
	some e in evidence
	e.verified
	e.subject_match
	e.predicate_type in types
	e.signer in signers
	e.signer != ""
}

_faults(signers) := {"want a list of signers' names, not an empty one"} if {
	not _is_list(signers)
} else := set()

_is_list(signers) if {
	is_array(signers)
	count(signers) > 0
	every s in signers {
		is_string(s)
	}
}
