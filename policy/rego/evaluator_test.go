package rego

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mooring.dev/policy"
)

// pack is one package of a test: its body stands below the package line.
func pack(p policy.Point, name, body string) (string, string) {
	return string(p) + "/" + name + ".rego", "package policy." + string(p) + "." + name + "\n\nimport future.keywords.not\n\n" + body
}

func packs(p policy.Point, bodies ...string) map[string]string {
	files := map[string]string{}
	for i, body := range bodies {
		name, text := pack(p, string(rune('a'+i)), body)
		files[name] = text
	}
	return files
}

const (
	allow    = "allow if input.api != \"\"\n"
	deny     = "deny contains {\"code\": \"bad\", \"msg\": \"no\"} if input.api != \"\"\n"
	hold     = "require contains {\"kind\": \"soak\", \"code\": \"soak\", \"msg\": \"wait\", \"until_ns\": input.request.time_ns + 7} if input.api != \"\"\n"
	later    = "require contains {\"kind\": \"manual\", \"code\": \"later\", \"msg\": \"wait\", \"until_ns\": input.request.time_ns + 9} if input.api != \"\"\n"
	warn     = "warn contains \"careful\" if input.api != \"\"\n"
	conflict = "allow := true if input.api != \"\"\n\nallow := false if input.point != \"\"\n"
	builtin  = "deny contains \"no\" if time.parse_duration_ns(input.commit.message) > 5\n"
)

// The table of the points that let a content through.
func TestGate(t *testing.T) {
	for _, c := range []struct {
		name      string
		bodies    []string
		protected bool
		want      policy.Outcome
		promotion policy.Outcome // where it differs
		codes     []string
		def       bool
		recheck   int64
	}{
		{name: "no package, unprotected", want: policy.Allow, def: true},
		{name: "no package, protected", protected: true, want: policy.Deny, promotion: policy.Hold, codes: []string{"not_allowed"}, def: true},
		{name: "nothing said, unprotected", bodies: []string{warn}, want: policy.Allow, codes: []string{"a"}, def: true},
		{name: "nothing said, protected", bodies: []string{warn}, protected: true, want: policy.Deny, promotion: policy.Hold, codes: []string{"not_allowed", "a"}, def: true},
		{name: "allowed", bodies: []string{allow}, protected: true, want: policy.Allow},
		{name: "allowed by one is enough", bodies: []string{warn, allow}, protected: true, want: policy.Allow, codes: []string{"a"}},
		{name: "a requirement holds", bodies: []string{allow, hold}, want: policy.Hold, codes: []string{"soak"}, recheck: 7},
		{name: "the earliest time counts", bodies: []string{later, hold}, want: policy.Hold, codes: []string{"later", "soak"}, recheck: 7},
		{name: "a deny is stronger", bodies: []string{allow + hold, deny}, want: policy.Deny, codes: []string{"bad", "soak"}, recheck: 7},
		{name: "an error is strongest", bodies: []string{allow, deny, conflict}, want: policy.Error, codes: []string{"policy_error", "bad"}},
		{name: "a builtin's error is an error", bodies: []string{allow, builtin}, want: policy.Error, codes: []string{"policy_error"}},
		{name: "advice is a warning", bodies: []string{allow, "# advice\n" + deny + hold}, want: policy.Allow, codes: []string{"bad", "soak"}},
		{name: "a dry run is nothing", bodies: []string{"# dry\n" + allow + deny + hold + warn}, protected: true, want: policy.Deny, promotion: policy.Hold, codes: []string{"not_allowed"}, def: true},
		{name: "a dry run may break", bodies: []string{allow, "# dry\n" + builtin}, want: policy.Allow},
		{name: "advice that breaks is an error", bodies: []string{allow, "# advice\n" + builtin}, want: policy.Error, codes: []string{"policy_error"}},
		{name: "advice allows nothing", bodies: []string{"# advice\n" + allow}, protected: true, want: policy.Deny, promotion: policy.Hold, codes: []string{"not_allowed"}, def: true},
	} {
		for _, p := range []policy.Point{policy.Admission, policy.Promotion} {
			t.Run(c.name+" at "+string(p), func(t *testing.T) {
				files := packs(p, c.bodies...)
				for name, text := range files {
					level := map[bool]string{strings.Contains(text, "# advice"): "advisory", strings.Contains(text, "# dry"): "dry_run"}[true]
					if level != "" {
						files[name] = "# METADATA\n# custom: {enforcement: " + level + "}\n" + text
					}
				}
				in := sample(p)
				in.Environment.Protected = c.protected
				d := decide(t, New(mustLoad(t, files), EvaluatorOptions{}), p, in)
				want := c.want
				if p == policy.Promotion && c.promotion != "" {
					want = c.promotion
				}
				var got []string
				for _, f := range d.Findings {
					got = append(got, f.Code)
				}
				if d.Outcome != want || d.Default != c.def || !slices.Equal(got, c.codes) {
					t.Errorf("got %s, default %v, %v, want %s", d.Outcome, d.Default, d.Findings, want)
				}
				if recheck := d.RecheckNS - noon.UnixNano(); c.recheck != 0 && recheck != c.recheck || c.recheck == 0 && d.RecheckNS != 0 {
					t.Errorf("recheck at %d", d.RecheckNS)
				}
			})
		}
	}
}

func TestGateSaysWhichFileWouldOpenIt(t *testing.T) {
	d := decide(t, New(mustLoad(t, nil), EvaluatorOptions{}), policy.Admission, sample(policy.Admission))
	// People who only see the message are told too: status shows no more.
	if f := d.Findings[0]; !strings.Contains(f.Remediation, "policies/admission/production.rego") || !strings.Contains(f.Msg, "policies/admission/production.rego") || d.Revision != "r1" || d.ID != "dec_1" {
		t.Errorf("%+v", d)
	}
}

func TestGateTruncatedHolds(t *testing.T) {
	in := sample(policy.Admission)
	in.Truncated = true
	d := decide(t, New(mustLoad(t, packs(policy.Admission, allow)), EvaluatorOptions{}), policy.Admission, in)
	if d.Outcome != policy.Hold || d.Findings[0].Code != "truncated" {
		t.Errorf("%+v", d)
	}
}

func TestGateFlags(t *testing.T) {
	d := decide(t, New(mustLoad(t, packs(policy.Admission, "flag contains \"b\" if input.api != \"\"\n\nflag contains \"a\" if input.api != \"\"\n", "flag contains \"b\" if input.api != \"\"\n")), EvaluatorOptions{}), policy.Admission, sample(policy.Admission))
	if !slices.Equal(d.Flags, []string{"a", "b"}) {
		t.Errorf("flags %v", d.Flags)
	}
}

func TestFindingIsTakenWhole(t *testing.T) {
	body := `deny contains {"code": "c", "msg": "m", "resource": "r", "path": "p", "remediation": "do", "details": {"n": [1, "x", null]}} if input.api != ""
require contains {"kind": "approval", "code": "two", "msg": "m", "need": 2, "have": 1, "until_ns": 5} if input.api != ""
`
	d := decide(t, New(mustLoad(t, packs(policy.Admission, body)), EvaluatorOptions{}), policy.Admission, sample(policy.Admission))
	text := func(v any) string { return string(must(json.Marshal(v))) }
	if got, want := text(d.Findings), `[{"code":"c","msg":"m","resource":"r","path":"p","details":{"n":[1,"x",null]},"remediation":"do","level":"deny","package":"policy.admission.a"},`+
		`{"code":"two","msg":"m","details":{"have":1,"kind":"approval","need":2,"until_ns":5},"level":"require","package":"policy.admission.a"}]`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if d.RecheckNS != 0 {
		t.Errorf("a time gone by is none to recheck at: %d", d.RecheckNS)
	}
}

// What a package returns must have its shape; nothing is guessed.
func TestShapes(t *testing.T) {
	for name, c := range map[string]struct {
		point policy.Point
		body  string
		says  string
	}{
		"a number for a finding":      {policy.Admission, "deny contains 5 if input.api != \"\"\n", "want an object"},
		"a finding without a code":    {policy.Admission, "deny contains {\"msg\": \"m\"} if input.api != \"\"\n", "code is missing"},
		"an empty message":            {policy.Admission, "deny contains {\"msg\": \"\", \"code\": \"c\"} if input.api != \"\"\n", "must not be empty"},
		"a member nobody knows":       {policy.Admission, "deny contains {\"msg\": \"m\", \"code\": \"c\", \"resourc\": \"r\"} if input.api != \"\"\n", `did you mean "resource"?`},
		"an allow that is no boolean": {policy.Admission, "allow := input.api\n", "want true or false"},
		"a plain requirement":         {policy.Admission, "require contains \"wait\" if input.api != \"\"\n", "kind, code and msg"},
		"a requirement of no kind":    {policy.Admission, "require contains {\"kind\": \"hope\", \"code\": \"c\", \"msg\": \"m\"} if input.api != \"\"\n", "hope"},
		"a time that is none":         {policy.Admission, "require contains {\"kind\": \"soak\", \"code\": \"c\", \"msg\": \"m\", \"until_ns\": 1.5} if input.api != \"\"\n", "nanoseconds"},
		"a flag that is no text":      {policy.Admission, "flag contains 1 if input.api != \"\"\n", "want a string"},
		"a weight of nothing":         {policy.Rollout, "weight := 0.5 if input.api != \"\"\n", "1 to 100"},
		"a weight of too much":        {policy.Rollout, "weight := 101 if input.api != \"\"\n", "1 to 100"},
		"a response nobody knows":     {policy.Drift, "action contains {\"item\": \"i1\", \"do\": \"fix\"} if input.api != \"\"\n", "fix"},
		"an item nobody knows":        {policy.Drift, "action contains {\"item\": \"i9\", \"do\": \"revert\"} if input.api != \"\"\n", "i9"},
		"a receiver nobody knows":     {policy.Notify, "route contains {\"receiver\": \"nobody\"} if input.api != \"\"\n", "nobody"},
		"a message of a megabyte":     {policy.Admission, "deny contains concat(\"\", [\"aaaaaaaaaa\" | some i in numbers.range(1, 104858)]) if input.api != \"\"\n", "larger than 262144"},
		"many findings":               {policy.Admission, "deny contains sprintf(\"%d\", [i]) if some i in numbers.range(1, 201)\n", "201 items"},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(mustLoad(t, packs(c.point, c.body)), EvaluatorOptions{PackageDeadline: time.Minute})
			in := sample(c.point)
			in.Environment.Protected = false
			d := decide(t, e, c.point, in)
			if d.Outcome != policy.Error || !strings.Contains(d.Findings[0].Msg, c.says) || !strings.Contains(d.Findings[0].Msg, "policy."+string(c.point)+".a") {
				t.Errorf("%s: %+v", d.Outcome, d.Findings)
			}
		})
	}
}

// A malformed neighbour does not swallow a deny.
func TestShapesKeepWhatIsGood(t *testing.T) {
	d := decide(t, New(mustLoad(t, packs(policy.Admission, deny+"\ndeny contains 5 if input.api != \"\"\n")), EvaluatorOptions{}), policy.Admission, sample(policy.Admission))
	if diff := cmp.Diff([]string{"error:policy_error", "deny:bad"}, codes(d)); diff != "" {
		t.Error(diff)
	}
}

func TestSteer(t *testing.T) {
	const (
		advance = "advance if input.rollout.verdict == \"pass\"\n"
		never   = "advance if input.rollout.verdict == \"never\"\n"
		abort   = "abort contains {\"code\": \"bad\", \"msg\": \"m\"} if input.api != \"\"\n"
		pause   = "pause contains {\"code\": \"slow\", \"msg\": \"m\"} if input.api != \"\"\n"
	)
	for name, c := range map[string]struct {
		bodies  []string
		want    policy.Outcome
		advance bool
		cap     int
		def     bool
		codes   []string
	}{
		"no package follows the analysis":               {want: policy.Allow, def: true},
		"packages that only object follow the analysis": {bodies: []string{"abort contains \"x\" if input.truncated\n"}, want: policy.Allow, def: true},
		"advance":                                          {bodies: []string{advance}, want: policy.Allow, advance: true},
		"no advance holds":                                 {bodies: []string{never}, want: policy.Hold, codes: []string{"require:no_advance"}},
		"one advance is enough":                            {bodies: []string{never, advance}, want: policy.Allow, advance: true},
		"a pause is stronger":                              {bodies: []string{advance, pause}, want: policy.Hold, codes: []string{"require:slow"}},
		"an abort is stronger":                             {bodies: []string{advance, pause, abort}, want: policy.Deny, codes: []string{"deny:bad", "require:slow"}},
		"an error is strongest":                            {bodies: []string{advance, builtinAbort}, want: policy.Error, codes: []string{"error:policy_error"}},
		"the lowest weight counts":                         {bodies: []string{advance + "\nweight := 25.9\n", "weight := 60\n"}, want: policy.Allow, advance: true, cap: 25},
		"a weight that is undefined is none":               {bodies: []string{advance + "\nweight := 5 if input.truncated\n"}, want: policy.Allow, advance: true},
		"a package that disagrees with itself is an error": {bodies: []string{"weight := 5 if input.api != \"\"\n\nweight := 6 if input.point != \"\"\n"}, want: policy.Error, codes: []string{"error:policy_error"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := decide(t, New(mustLoad(t, packs(policy.Rollout, c.bodies...)), EvaluatorOptions{}), policy.Rollout, sample(policy.Rollout))
			if d.Outcome != c.want || d.Advance != c.advance || d.WeightCap != c.cap || d.Default != c.def || !slices.Equal(codes(d), c.codes) {
				t.Errorf("%+v", d)
			}
		})
	}
}

const builtinAbort = "abort contains \"no\" if time.parse_duration_ns(input.commit.message) > 5\n"

func TestRespond(t *testing.T) {
	do := func(item, what, more string) string {
		return "action contains {\"item\": \"" + item + "\", \"do\": \"" + what + "\"" + more + "} if input.api != \"\"\n\n"
	}
	for name, c := range map[string]struct {
		bodies []string
		want   []policy.Action
		out    policy.Outcome
		def    bool
	}{
		"no package":                    {out: policy.Allow, def: true},
		"nothing said":                  {bodies: []string{"action contains {\"item\": \"i1\", \"do\": \"hold\"} if input.truncated\n"}, out: policy.Allow},
		"one item":                      {bodies: []string{do("i1", "revert", ", \"reason\": \"r\"")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "revert", Reason: "r"}}},
		"revert before ignore":          {bodies: []string{do("i1", "ignore", ""), do("i1", "revert", "")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "revert"}}},
		"propose before revert":         {bodies: []string{do("i1", "revert", ""), do("i1", "propose", "")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "propose"}}},
		"alert before propose":          {bodies: []string{do("i1", "propose", "") + do("i1", "alert", "")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "alert"}}},
		"hold before alert":             {bodies: []string{do("i1", "alert", ""), do("i1", "hold", "")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "hold"}}},
		"the longer hold":               {bodies: []string{do("i1", "hold", ", \"until_ns\": 9"), do("i1", "hold", ", \"until_ns\": 7")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "hold", UntilNS: 9}}},
		"without end is longest":        {bodies: []string{do("i1", "hold", ", \"until_ns\": 9"), do("i1", "hold", "")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "hold"}}},
		"each item by itself":           {bodies: []string{do("i2", "hold", "") + do("i1", "revert", "")}, out: policy.Allow, want: []policy.Action{{Item: "i1", Do: "revert"}, {Item: "i2", Do: "hold"}}},
		"broken: everything is alerted": {bodies: []string{do("i1", "revert", ""), "action contains {\"item\": \"i2\", \"do\": \"revert\"} if time.parse_duration_ns(input.commit.message) > 5\n"}, out: policy.Error, want: []policy.Action{{Item: "i1", Do: "alert", Reason: "policy could not be evaluated"}, {Item: "i2", Do: "alert", Reason: "policy could not be evaluated"}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := decide(t, New(mustLoad(t, packs(policy.Drift, c.bodies...)), EvaluatorOptions{}), policy.Drift, sample(policy.Drift))
			if diff := cmp.Diff(c.want, d.Actions); diff != "" || d.Outcome != c.out || d.Default != c.def {
				t.Errorf("%s, default %v\n%s", d.Outcome, d.Default, diff)
			}
		})
	}
}

func TestSend(t *testing.T) {
	const (
		toOncall = "route contains {\"receiver\": \"oncall\", \"severity\": \"high\", \"group_by\": \"resource\"} if input.api != \"\"\n\n"
		toChat   = "route contains {\"receiver\": \"chat\"} if input.api != \"\"\n\n"
		muteAll  = "mute contains \"quiet hours\" if input.api != \"\"\n\n"
		muteChat = "mute contains {\"code\": \"quiet\", \"msg\": \"m\", \"receiver\": \"chat\"} if input.api != \"\"\n\n"
	)
	oncall := policy.Route{Receiver: "oncall", Severity: "high", GroupBy: "resource"}
	for name, c := range map[string]struct {
		bodies []string
		kind   string
		want   []policy.Route
		muted  bool
		def    bool
		out    policy.Outcome
	}{
		"no package: the default receiver":              {def: true, out: policy.Allow},
		"nothing said: the default receiver":            {bodies: []string{"mute contains \"x\" if input.truncated\n"}, def: true, out: policy.Allow},
		"routes of all packages, once each":             {bodies: []string{toOncall, toOncall + toChat}, want: []policy.Route{{Receiver: "chat"}, oncall}, out: policy.Allow},
		"a mute silences":                               {bodies: []string{toOncall, muteAll}, want: []policy.Route{}, muted: true, out: policy.Allow},
		"a mute of one receiver":                        {bodies: []string{toOncall + toChat, muteChat}, want: []policy.Route{oncall}, out: policy.Allow},
		"a mute of the only receiver":                   {bodies: []string{toChat, muteChat}, want: []policy.Route{}, muted: true, out: policy.Allow},
		"our own faults are not muted":                  {bodies: []string{toOncall, muteAll}, kind: "policy_error", want: []policy.Route{oncall}, out: policy.Allow},
		"nor lost when nobody is named":                 {bodies: []string{muteAll}, kind: "journal_error", def: true, out: policy.Allow},
		"a severity nobody knows: the default receiver": {bodies: []string{"route contains {\"receiver\": \"chat\", \"severity\": \"urgent\"} if input.api != \"\"\n"}, out: policy.Error},
		"a grouping nobody knows: the default receiver": {bodies: []string{"route contains {\"receiver\": \"chat\", \"group_by\": \"weather\"} if input.api != \"\"\n"}, out: policy.Error},
		"broken: the default receiver":                  {bodies: []string{toOncall, "mute contains \"x\" if time.parse_duration_ns(input.commit.message) > 5\n"}, out: policy.Error},
		"broken beside a mute: not muted at all":        {bodies: []string{muteAll, "route contains {\"receiver\": \"nobody\"} if input.api != \"\"\n"}, out: policy.Error},
	} {
		t.Run(name, func(t *testing.T) {
			in := sample(policy.Notify)
			if c.kind != "" {
				in.Event.Kind = c.kind
			}
			d := decide(t, New(mustLoad(t, packs(policy.Notify, c.bodies...)), EvaluatorOptions{}), policy.Notify, in)
			if !slices.Equal(c.want, d.Routes) || d.Outcome != c.out || d.Muted != c.muted || d.Default != c.def {
				t.Errorf("%+v", d)
			}
		})
	}
}
