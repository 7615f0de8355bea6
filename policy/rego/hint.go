package rego

// Hint says what to do about a fault where its message alone does not; ""
// where it does.
func (f Fault) Hint() string { return hints[f.Code] }

// hints are about codes whose messages are OPA's.
var hints = map[string]string{
	"rego_parse_error":      "policies are Rego v1: `name contains item if { … }`, `name if { … }`; the fault may lie just before this place",
	"rego_unsafe_var_error": "give the variable a value first, by `some x in …` or `x := …`",
	"rego_recursion_error":  "a rule cannot use itself; compute what is shared in a third one",
	"data_error":            "data files hold one JSON or YAML document, named data.config and the file's path below policies/data",
	"read_error":            "policies are plain files within limits; take it out, or make it smaller",
	"test_failed":           "run `mooring policy test` for the expression that was not true",
	"test_error":            "run `mooring policy test --run NAME` for the test alone",
}
