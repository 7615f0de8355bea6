# METADATA
# title: Alarms
# description: |
#   What alarms say of a rollout. An alarm that fires ends it; one that says
#   nothing, or is not there, is no good news and pauses it.
package policy.lib.alarms

import data.policy.lib.config
import future.keywords.not

# METADATA
# title: firing
# description: The names of the alarms that fire.
# custom:
#   arguments:
#     alarms: input.alarms
firing(alarms) := {a.name |
	some a in alarms
	a.state == "alarm"
}

# METADATA
# title: abort
# description: One finding for each alarm that fires.
# custom:
#   arguments:
#     alarms: input.alarms
abort(alarms) := {finding |
	some name in firing(alarms)
	finding := {"code": "alarm", "msg": sprintf("alarm %s fires", [name])}
}

# METADATA
# title: unknown
# description: One finding for each alarm that neither fires nor is ok.
# custom:
#   arguments:
#     alarms: input.alarms
unknown(alarms) := {finding |
	some a in alarms
	not a.state in {"ok", "alarm"}
	finding := {"code": "alarm_unknown", "msg": sprintf("alarm %s says nothing (%s)", [a.name, a.state])}
}

# METADATA
# title: unwatched
# description: One finding for each of the names that is not among the alarms.
# custom:
#   arguments:
#     alarms: input.alarms
#     names: a list of names, as in policies/data/alarms.yaml
unwatched(alarms, names) := {item |
	faults := config.texts({"names": names}, "names")
	some item in {{"code": f.code, "msg": f.msg} | some f in config.item("alarms", faults)}
} | {finding |
	count(config.texts({"names": names}, "names")) == 0
	some name in names
	not name in {a.name | some a in alarms}
	finding := {"code": "alarm_unwatched", "msg": sprintf("alarm %s is not there", [name])}
}
