# What is done about changes by hand. About everything these rules do not name
# Mooring's own catalogue decides: it puts code, configuration and permissions
# back, and holds what is usually somebody's mitigation. Of several answers the
# one that changes least wins.
package policy.drift.response

import data.policy.lib.drift

# Who breaks the glass is not fought.
action contains answer if {
	some answer in drift.hold_by(input.items, data.config.drift.break_glass, "the glass is broken")
}

# What a team decided to leave alone.
action contains answer if some answer in drift.ignore(input.items, data.config.drift.ignore)

# Traffic and callers come from Git alone, however harmless they look.
action contains answer if {
	some answer in drift.revert(input.items, ["Alias *", "Permission *", "Url *"], "traffic and callers are declared in Git")
}

# Somebody who keeps putting it back is asked.
action contains answer if some answer in drift.tired(input.items, 3)
