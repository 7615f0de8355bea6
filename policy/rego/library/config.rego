# METADATA
# title: Data that can be trusted
# description: |
#   Checks of what stands in policies/data. A limit that cannot be read must
#   hold what it limits: every function of this library that takes such data
#   answers with one item of kind manual where the data are not what it needs.
package policy.lib.config

import future.keywords.not

# METADATA
# title: item
# description: One item of require that says what is wrong with data; none where nothing is.
# custom:
#   arguments:
#     what: what the data are, as in "freezes"
#     faults: a set of texts
item(what, faults) := {found |
	count(faults) > 0
	found := {
		"kind": "manual",
		"code": sprintf("%s_invalid", [what]),
		"msg": sprintf("%s in policies/data cannot be read: %s", [what, concat("; ", sort(faults))]),
	}
}

# METADATA
# title: unknown
# description: A fault for each member of an object that nobody would read.
# custom:
#   arguments:
#     object: the object
#     members: the set of names that are read
unknown(object, members) := {fault |
	some name, _ in object
	not name in members
	fault := sprintf("unknown member %q; it has %s", [name, concat(", ", sort(members))])
}

# METADATA
# title: texts
# description: A fault where a member of an object is no list of texts.
# custom:
#   arguments:
#     object: the object
#     name: the member
texts(object, name) := {fault |
	not _all_texts(object, name)
	fault := sprintf("%s: want a list of texts", [name])
}

_all_texts(object, name) if {
	is_array(object[name])
	every text in object[name] {
		is_string(text)
	}
}

# METADATA
# title: text
# description: A fault where a member of an object is no text, or an empty one.
# custom:
#   arguments:
#     object: the object
#     name: the member
text(object, name) := {fault |
	not _has_text(object, name)
	fault := sprintf("%s: want a text", [name])
}

_has_text(object, name) if {
	is_string(object[name])
	object[name] != ""
}

# METADATA
# title: whole
# description: A fault where a value is no whole number, or less than the least.
# custom:
#   arguments:
#     name: what the value is called
#     value: the value
#     least: the least it may be
whole(name, value, least) := {fault |
	not _whole(value, least)
	fault := sprintf("%s: want a whole number from %d", [name, least])
}

_whole(value, least) if {
	is_number(value)
	value == floor(value)
	value >= least
}
