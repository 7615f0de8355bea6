package policy.promotion.no_friday_test

import data.policy.promotion.no_friday

_at(text, protected) := {
	"environment": {"protected": protected}, "request": {"time_ns": time.parse_rfc3339_ns(text)},
	"upstream": [{"environment": "staging", "content_match": true, "applied": true, "healthy": true, "held": false}],
}

test_thursday_night if {
	no_friday.require == set() with input as _at("2026-06-04T21:59:59Z", true)
	no_friday.allow with input as _at("2026-06-04T21:59:59Z", true)
}

test_friday_until_monday if {
	some item in no_friday.require with input as _at("2026-06-04T22:00:00Z", true)
	item.until_ns == time.parse_rfc3339_ns("2026-06-07T22:00:00Z")
}

# In March the weekend is an hour shorter.
test_clocks_go_forward if {
	some item in no_friday.require with input as _at("2026-03-27T12:00:00Z", true)
	item.until_ns == time.parse_rfc3339_ns("2026-03-29T22:00:00Z")
}

test_elsewhere if {
	no_friday.require == set() with input as _at("2026-06-05T12:00:00Z", false)
}
