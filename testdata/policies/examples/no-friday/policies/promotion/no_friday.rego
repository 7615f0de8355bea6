# Nothing new reaches a protected environment from Friday until Monday.
package policy.promotion.no_friday

import data.policy.lib.soak
import data.policy.lib.window

require contains item if {
	input.environment.protected
	some item in window.never(data.config.weekend, input.request.time_ns)
}

# A protected environment needs an `allow`; here it is what is settled upstream.
allow if {
	count(input.upstream) > 0
	every u in input.upstream {
		soak.settled(u)
	}
}
