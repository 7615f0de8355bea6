package policy.lib.config_test

import data.policy.lib.config

test_nothing_wrong if config.item("limits", set()) == set()

test_all_faults_in_one_item if {
	some item in config.item("limits", {"b", "a"})
	item.kind == "manual"
	item.code == "limits_invalid"
	item.msg == "limits in policies/data cannot be read: a; b"
}

test_unknown if {
	config.unknown({"a": 1}, {"a"}) == set()
	config.unknown({"a": 1, "b": 1}, {"a"}) == {`unknown member "b"; it has a`}
}

test_texts if {
	config.texts({"a": []}, "a") == set()
	config.texts({"a": ["x"]}, "a") == set()
	every bad in [{}, {"a": "x"}, {"a": [1]}, {"a": null}] {
		count(config.texts(bad, "a")) == 1
	}
}

test_text if {
	config.text({"a": "x"}, "a") == set()
	every bad in [{}, {"a": ""}, {"a": 1}, {"a": ["x"]}] {
		count(config.text(bad, "a")) == 1
	}
}

test_whole if {
	config.whole("a", 2, 2) == set()
	every bad in [1, 2.5, "2", null, [2]] {
		count(config.whole("a", bad, 2)) == 1
	}
}
