# What is critical is released in stages, and the first one is small. A function
# says so itself: metadata: {labels: {tier: critical}}.
package policy.admission.canary

import data.policy.lib.canary

deny contains finding if some finding in canary.missing(input.changes, {"critical"})

deny contains finding if some finding in canary.steep(input.changes, {"critical"}, 25)

# This package only objects; what is let in is said elsewhere.
allow if input.release.promoted
