# Every change by hand is put back, but for those of whoever is on call. While
# nobody can say who it was, people are told and nothing is changed.
package policy.drift.on_call

import data.policy.lib.drift

action contains answer if {
	some answer in drift.revert_except(input.items, data.config.on_call.roles, "changes come from Git")
}
