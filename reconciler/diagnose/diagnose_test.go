package diagnose

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// here is an installation whose commands name it.
var here = Place{Repository: "--repo shop.git", Daemon: "--server http://127.0.0.1:1"}

// TestSummarise: the gravest result is the outcome, and what has no result is
// a fault.
func TestSummarise(t *testing.T) {
	for want, results := range map[Result][][]Result{
		OK:      {{}, {OK}, {OK, Skipped}},
		Warning: {{Warning}, {OK, Warning, Skipped}},
		Fault:   {{Fault}, {Warning, Fault, OK}, {""}, {OK, "what"}},
	} {
		for _, rs := range results {
			var checks []Check
			for _, r := range rs {
				checks = append(checks, Check{Result: r})
			}
			if got := Summarise(checks); got.Outcome != want || got.Checks == nil || len(got.Checks) != len(rs) {
				t.Errorf("%v: %s", rs, got.Outcome)
			}
		}
	}
}

// one holds a check against "result: words", and wants a remedy of what is not
// well and none of what is.
func one(t *testing.T, about string, c Check, want string) {
	t.Helper()
	result, words, _ := strings.Cut(want, ": ")
	if string(c.Result) != result || !strings.Contains(c.Found, words) {
		t.Errorf("%s: %s: %s; want %s", about, c.Result, c.Found, want)
	}
	if wants := c.Result == Fault || c.Result == Warning; wants != (c.Remedy != "") {
		t.Errorf("%s: %s has the remedy %q", about, c.Result, c.Remedy)
	}
	if c.Command != "" && (c.Words() == c.Remedy || !strings.HasSuffix(c.Remedy, c.Command+"`")) {
		t.Errorf("%s: the remedy %q does not end with the command %q", about, c.Remedy, c.Command)
	}
	if strings.Contains(c.Command, "mooring ") && !strings.Contains(c.Command, here.Repository) && !strings.Contains(c.Command, here.Daemon) && !strings.Contains(c.Command, "policy init") {
		t.Errorf("%s: %q would be about another installation", about, c.Command)
	}
}

func TestClock(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		0: "ok: within 1s", time.Minute: "ok: ", -time.Minute: "ok: ", 61 * time.Second: "warning: 1m1s ahead of", -5 * time.Minute: "warning: 5m0s behind",
		5*time.Minute + time.Second: "fault: ahead of", -time.Hour: "fault: 1h0m0s behind",
	} {
		one(t, ahead.String(), OfClock("clock", "e", "AWS", providers.Clock{Known: true, Ahead: ahead}), want)
	}
	one(t, "unknown", OfClock("clock", "e", "AWS", providers.Clock{}), "skipped: AWS told no time")
}

func TestLimits(t *testing.T) {
	for want, l := range map[string]providers.Limit{
		"ok: 10 of 900":       {Name: "concurrency", Used: 10, Allowed: 900},
		"warning: 720 of 900": {Name: "concurrency", Used: 720, Allowed: 900},
		"warning: so small":   {Name: "concurrency", Allowed: 0},
		"warning: 80 of 100":  {Name: "code-storage", Used: 80, Allowed: 100},
		"ok: 79 of 100":       {Name: "code-storage", Used: 79, Allowed: 100},
	} {
		one(t, want, limits(manifest.Environment{Name: "e", Provider: manifest.ProviderTarget{AWS: &manifest.AWSTarget{}}}, []providers.Limit{l})[0], want)
	}
	one(t, "unread", limits(manifest.Environment{Name: "e"}, nil)[0], "skipped: lambda:GetAccountSettings")
}

func TestLanes(t *testing.T) {
	quiet := Lane{Name: "a/lambda", PerSecond: 15, Allowed: 5, UsedRatio: 0.1}
	for want, lanes := range map[string][]Lane{
		"skipped: called nothing":      nil,
		"ok: a/lambda with 10%":        {quiet, {Name: "a/iam", PerSecond: 15, Allowed: 5}},
		"warning: refused calls":       {quiet, {Name: "a/iam", PerSecond: 15, Allowed: 5, Throttles: 3}},
		"warning: is used up: a/sqs":   {quiet, {Name: "a/sqs", PerSecond: 15, Allowed: 5, UsedRatio: 0.31}},
		"warning: their rate: a/x (1)": {{Name: "a/x", Throttles: 1, UsedRatio: 1, PerSecond: 1, Allowed: 1}},
	} {
		one(t, want, OfLanes(lanes), want)
	}
}

func TestHints(t *testing.T) {
	whole := func() providers.HintPath {
		return providers.HintPath{
			Queue: providers.HintQueue{
				Declared: "mooring-hints", Region: "eu-west-1", ARN: ours.Queue, Sent: 3,
				Policy: `{"Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage"}}`,
			},
			Rules:  []providers.HintRule{{Name: "hints", ARN: ours.Source, Enabled: true, Targets: []string{ours.Queue}}},
			Trails: []providers.HintTrail{{Name: "t", Here: true, Logging: true}},
		}
	}
	refused, absent := providers.Errorf(providers.Denied, "no"), providers.Errorf(providers.Conflict, "not there")
	for name, c := range map[string]struct {
		change func(h *providers.HintPath)
		check  string // whose result is
		want   string
	}{
		"whole":            {func(*providers.HintPath) {}, "", ""},
		"no queue":         {func(h *providers.HintPath) { h.Queue.Err, h.Queue.ARN = absent, "" }, "hint-queue", "fault: there is no queue"},
		"queue unreadable": {func(h *providers.HintPath) { h.Queue.Err, h.Queue.ARN = refused, "" }, "hint-queue", "fault: may not be read"},
		"queue unanswered": {func(h *providers.HintPath) { h.Queue.Err, h.Queue.ARN = errors.New("late"), "" }, "hint-queue", "fault: late"},
		"queue elsewhere": {func(h *providers.HintPath) {
			h.Queue.Declared = strings.Replace(ours.Queue, "eu-west-1", "us-east-1", 1)
		}, "hint-queue", "fault: is in us-east-1"},
		"queue of AWS's key":    {func(h *providers.HintPath) { h.Queue.Key = "alias/aws/sqs" }, "hint-queue", "fault: EventBridge may not use"},
		"no rule":               {func(h *providers.HintPath) { h.Rules = nil }, "hint-rule", "fault: no rule"},
		"rules unreadable":      {func(h *providers.HintPath) { h.Rules, h.RulesErr = nil, refused }, "hint-rule", "skipped: could not be read"},
		"rule disabled":         {func(h *providers.HintPath) { h.Rules[0].Enabled = false }, "hint-rule", "fault: disabled"},
		"rule unseen":           {func(h *providers.HintPath) { h.Rules = []providers.HintRule{{Name: "hints", Err: refused}} }, "hint-rule", "warning: could not be looked at"},
		"rule rewrites":         {func(h *providers.HintPath) { h.Rules[0].Rewritten = true }, "hint-rule", "fault: something else"},
		"rule leaves out":       {func(h *providers.HintPath) { h.Rules[0].Unmatched = []string{"aws.iam"} }, "hint-rule", "fault: aws.iam"},
		"rule half seen":        {func(h *providers.HintPath) { h.Rules[0].Err = refused }, "hint-rule", "warning: could not be looked at"},
		"policy missing":        {func(h *providers.HintPath) { h.Queue.Policy = "" }, "hint-policy", "fault: there is none"},
		"policy unclear":        {func(h *providers.HintPath) { h.Queue.Policy = "{" }, "hint-policy", "warning: cannot be told"},
		"no trail":              {func(h *providers.HintPath) { h.Trails = nil }, "hint-trail", "fault: there is no trail"},
		"trail elsewhere":       {func(h *providers.HintPath) { h.Trails[0].Here = false }, "hint-trail", "fault: there is no trail"},
		"trail stopped":         {func(h *providers.HintPath) { h.Trails[0].Logging = false }, "hint-trail", "fault: does not log"},
		"trail of reads":        {func(h *providers.HintPath) { h.Trails[0].Reads = true }, "hint-trail", "fault: logs no changes"},
		"trails unreadable":     {func(h *providers.HintPath) { h.TrailsErr = refused }, "hint-trail", "skipped: could not be read"},
		"trail unreadable":      {func(h *providers.HintPath) { h.Trails[0].Err = refused }, "hint-trail", "skipped: t could not be"},
		"messages wait":         {func(h *providers.HintPath) { h.Queue.Oldest, h.Queue.Waiting = 20*time.Minute, 7 }, "hint-messages", "warning: 7 messages wait"},
		"no messages":           {func(h *providers.HintPath) { h.Queue.Sent = 0 }, "hint-messages", "warning: no message"},
		"messages are not seen": {func(h *providers.HintPath) { h.Queue.SentErr = refused }, "hint-messages", "skipped: could not be asked"},
	} {
		h := whole()
		c.change(&h)
		seen := false
		for _, check := range OfHints(here, "e", h) {
			if check.Name == c.check {
				seen = true
				one(t, name, check, c.want)
			} else if check.Result == Fault || check.Result == Warning {
				t.Errorf("%s: %s is %s: %s", name, check.Name, check.Result, check.Found)
			}
		}
		if !seen && c.check != "" {
			t.Errorf("%s: no check %s", name, c.check)
		}
	}
	// Of two rules the one that works counts; a trail that logs makes up for one that does not.
	h := whole()
	h.Rules = append([]providers.HintRule{{Name: "old"}}, h.Rules...)
	h.Trails = append([]providers.HintTrail{{Name: "old", Here: true}}, h.Trails...)
	if r := Summarise(OfHints(here, "e", h)); r.Outcome != OK {
		t.Errorf("beside an old rule and trail: %+v", r.Checks)
	}
}

func TestReached(t *testing.T) {
	target := manifest.AWSTarget{Region: "eu-west-1", Account: "111111111111", RoleArn: "arn:aws:iam::111111111111:role/mooring"}
	e := manifest.Environment{Name: "e", Provider: manifest.ProviderTarget{AWS: &target}}
	remedies := map[string]bool{}
	for _, why := range []string{providers.NoCredentials, providers.ExpiredCredentials, providers.RefusedCredentials, providers.RoleNotTaken, providers.ClockRefused, providers.Unreachable} {
		checks := OfPlatform(here, e, providers.Diagnosis{Reached: providers.Reached{Why: why, Text: "sts: no"}})
		one(t, why, checks[0], "fault: sts: no")
		remedies[checks[0].Remedy] = true
		for _, c := range checks[1:] {
			if c.Result != Skipped {
				t.Errorf("%s: %s is %s though nobody was reached", why, c.Name, c.Result)
			}
		}
	}
	if len(remedies) != 6 {
		t.Errorf("%d remedies for 6 reasons", len(remedies))
	}
	good := OfPlatform(here, e, providers.Diagnosis{Reached: providers.Reached{Account: "111111111111", Identity: "assumed-role/mooring/x"}, Reads: []providers.Read{{Action: "lambda:GetFunction"}}})
	one(t, "good", good[0], "ok: having taken "+target.RoleArn)
	one(t, "denied", permissions(here, e, providers.Diagnosis{Reads: []providers.Read{{Action: "a:B", Code: "AccessDenied", Denied: true}, {Action: "a:C", Code: "AccessDenied", Denied: true}}}), "fault: a:B, a:C")
	one(t, "odd", permissions(here, e, providers.Diagnosis{Reads: []providers.Read{{Action: "a:B", Code: "InternalFailure"}}}), "warning: a:B (InternalFailure)")
}

func TestState(t *testing.T) {
	good := State{Dir: "/s", Mode: 0o700, Journal: "open", Free: 5 << 30, FreeKnown: true}
	for want, change := range map[string]func(*State){
		"state-folder ok: can be written":       func(*State) {},
		"state-folder ok: not there yet":        func(s *State) { s.Missing = true },
		"state-folder fault: is a file":         func(s *State) { s.NoFolder = true },
		"state-folder fault: cannot be made":    func(s *State) { s.Missing, s.Err, s.Above = true, errors.New("no"), "/" },
		"state-folder fault: cannot be written": func(s *State) { s.Err = errors.New("no") },
		"state-folder warning: mode 0750":       func(s *State) { s.Mode = 0o750 },
		"state-folder warning: token.key":       func(s *State) { s.Loose = []string{"token.key"} },
		"journal ok: daemon has it open":        func(s *State) { s.Journal = "used" },
		"journal ok: none yet":                  func(s *State) { s.Journal = "none" },
		"journal fault: damaged":                func(s *State) { s.Journal, s.JournalErr = "", errors.New("damaged") },
		"disk ok: 5.0 GiB":                      func(*State) {},
		"disk warning: 0.5 GiB":                 func(s *State) { s.Free = 1 << 29 },
		"disk fault: 0.0 GiB":                   func(s *State) { s.Free = 1 << 20 },
		"disk skipped: cannot be told":          func(s *State) { s.FreeKnown = false },
	} {
		st := good
		change(&st)
		name, words, _ := strings.Cut(want, " ")
		for _, c := range OfState(st) {
			if c.Name == name {
				one(t, want, c, words)
			} else if st.Err == nil && c.Result == Fault {
				t.Errorf("%s: %s is at fault too", want, c.Name)
			}
		}
	}
}

func TestReceiverAndRest(t *testing.T) {
	reach := func(r Receiver) string {
		var out []string
		for _, c := range OfReceiver(r) {
			out = append(out, fmt.Sprintf("%s %s", c.Name, c.Result))
		}
		return strings.Join(out, ", ")
	}
	for want, r := range map[string]Receiver{
		"receiver-secrets ok, receiver-reach ok":         {Secrets: []string{"url"}, Address: "a:1"},
		"receiver-secrets fault, receiver-reach skipped": {Unread: []string{"url"}},
		"receiver-secrets ok, receiver-reach fault":      {Address: "a:1", Err: errors.New("no")},
		"receiver-secrets ok, receiver-reach skipped":    {},
		"receiver-secrets ok, receiver-reach skipped ":   {Address: "arn", Cloud: true, Unseen: true},
		"receiver-secrets ok, receiver-reach ok ":        {Address: "arn", Cloud: true},
		"receiver-secrets ok, receiver-reach fault ":     {Address: "arn", Cloud: true, Err: errors.New("gone")},
	} {
		if got := reach(r); got != strings.TrimSpace(want) {
			t.Errorf("%+v: %s, want %s", r, got, want)
		}
	}
	for address, command := range map[string]string{
		"arn:aws:sns:eu-west-1:111111111111:alerts":           "aws sns create-topic --name alerts --region eu-west-1",
		"arn:aws:sns:eu-west-1:111111111111:alerts.fifo":      "aws sns create-topic --name alerts.fifo --attributes FifoTopic=true --region eu-west-1",
		"arn:aws:events:eu-west-1:111111111111:event-bus/ops": "aws events create-event-bus --name ops --region eu-west-1",
		"ops": "aws events create-event-bus --name ops",
	} {
		c := OfReceiver(Receiver{Name: "r", Address: address, Cloud: true, Err: errors.New("gone")})[1]
		if one(t, address, c, "fault: "+address+" is not found"); c.Command != command {
			t.Errorf("%s is made by %q", address, c.Command)
		}
	}
	one(t, "daemon", OfDaemon(here, Daemon{Environs: 2}), "ok: 2 environments")
	one(t, "daemon named", OfDaemon(here, Daemon{Err: errors.New("no answer"), Asked: true}), "fault: no answer")
	one(t, "daemon not named", OfDaemon(here, Daemon{Err: errors.New("no answer")}), "skipped: none answers")
	one(t, "a stranger", OfDaemon(here, Daemon{Stranger: true}), "skipped: is no mooring")
	one(t, "a stranger named", OfDaemon(here, Daemon{Stranger: true, Asked: true}), "fault: is no mooring")
	one(t, "another's daemon", OfDaemon(here, Daemon{Pipeline: "books", Wanted: "shop", Troubled: []string{"e: denied"}}), "skipped: is the daemon of pipeline books")
	one(t, "another's daemon named", OfDaemon(here, Daemon{Pipeline: "books", Wanted: "shop", Asked: true}), "fault: pipeline books")
	one(t, "our daemon", OfDaemon(here, Daemon{Pipeline: "shop", Wanted: "shop", Environs: 1}), "ok: pipeline shop, with 1 environment")
	one(t, "daemon in trouble", OfDaemon(here, Daemon{Troubled: []string{"e: denied"}}), "fault: e: denied")
	one(t, "zones", OfZones(1, []string{"Europe/X"}), "fault: Europe/X")
}

func TestRepository(t *testing.T) {
	result := func(checks []Check, name string) Check {
		for _, c := range checks {
			if c.Name == name {
				return c
			}
		}
		return Check{}
	}
	one(t, "unread", result(OfRepository(here, Repository{Err: errors.New("auth")}), "repository"), "fault: auth")
	one(t, "unread", result(OfRepository(here, Repository{Err: errors.New("auth")}), "policies"), "skipped: ")
	for why, remedy := range map[string]string{Unauthorized: "token", Unreachable: "git ls-remote", Stranger: "ssh-keyscan"} {
		c := result(OfRepository(here, Repository{Err: errors.New("no"), Why: why, Scan: "ssh-keyscan git.example.com >> known"}), "repository")
		if one(t, why, c, "fault: no"); !strings.Contains(c.Remedy, remedy) {
			t.Errorf("%s: %s", why, c.Remedy)
		}
	}
	if c := result(OfRepository(here, Repository{Err: errors.New("no"), Why: Unauthorized, Key: "my key"}), "repository"); c.Command != "ssh-keygen -y -f 'my key'" {
		t.Errorf("of a key that is refused: %+v", c)
	}
	if c := result(OfRepository(here, Repository{Missing: true, Control: "main", Others: []string{"trunk"}}), "pipeline"); !strings.Contains(c.Command, "--control trunk") {
		t.Errorf("another control branch is there, and the remedy is %s", c.Remedy)
	}
	one(t, "no control branch", result(OfRepository(here, Repository{Missing: true, Control: "main"}), "pipeline"), "fault: no branch main")
	one(t, "broken", result(OfRepository(here, Repository{Faults: []string{"mooring.yaml:3:1: x"}}), "pipeline"), "fault: mooring.yaml:3:1")
	one(t, "policies", result(OfRepository(here, Repository{Policies: Policies{Err: []string{"a.rego:1:1: x"}}}), "policies"), "fault: a.rego:1:1")
	one(t, "no policies", result(OfRepository(here, Repository{}), "policies"), "ok: built-in defaults")
	one(t, "no branch", result(OfEnvironment(here, Environment{Name: "e", Branch: "env/e", Missing: true}, Policies{}), "branch"), "fault: env/e")
	one(t, "nothing declared", result(OfEnvironment(here, Environment{Name: "e"}, Policies{}), "manifests"), "warning: no resource")
	one(t, "closed", result(OfEnvironment(here, Environment{Name: "e", Protected: true, Resources: 1}, Policies{Count: 3}), "protection"), "fault: no policy can allow")
	one(t, "open", result(OfEnvironment(here, Environment{Name: "e", Protected: true, Resources: 1}, Policies{Opens: []string{"policy.admission.a"}}), "protection"), "ok: policy.admission.a")
}

// TestSwitchRole: a switch that would not act is a fault, and says which part
// is missing.
func TestSwitchRole(t *testing.T) {
	const arn = "arn:aws:iam::111111111111:role/deadman"
	may := []providers.SwitchRight{{Action: "lambda:UpdateAlias", On: "arn:f", May: true}, {Action: "states:UpdateStateMachineAlias", On: "arn:m", May: true}}
	mayNot := []providers.SwitchRight{may[0], {Action: "states:UpdateStateMachineAlias", On: "arn:m"}}
	e := manifest.Environment{Name: "production", Rollout: manifest.Rollout{Deadman: &manifest.Deadman{Role: arn}}}
	denied := providers.Errorf(providers.Denied, "not authorized")
	for want, r := range map[string]*providers.SwitchRole{
		"skipped: not reached":                          nil,
		"fault: there is no role":                       {Declared: arn},
		"skipped: declared, and not made yet":           {Declared: "Role/deadman", Found: true},
		"fault: may not take on " + arn:                 {Declared: arn, Found: true, ARN: arn, May: may},
		"fault: may not call states:UpdateStateMachine": {Declared: arn, Found: true, ARN: arn, Trusted: true, May: mayNot},
		"warning: could not be asked":                   {Declared: arn, Found: true, ARN: arn, Trusted: true, Unasked: denied},
		"warning: may not be looked at":                 {Declared: arn, Err: denied},
		"warning: could not be looked at":               {Declared: arn, Err: errors.New("no answer")},
		"ok: for 15m0s":                                 {Declared: arn, Found: true, ARN: arn, Trusted: true, May: may},
	} {
		one(t, want, OfSwitchRole(here, e, r), want)
	}
	for _, declared := range []bool{true, false} {
		e.Provider.AWS = &manifest.AWSTarget{}
		if !declared {
			e.Rollout.Deadman = nil
		}
		told := false
		for _, c := range OfPlatform(here, e, providers.Diagnosis{Switch: &providers.SwitchRole{Declared: arn}}) {
			told = told || c.Name == "deadman"
		}
		if told != declared {
			t.Errorf("declared %v, told %v", declared, told)
		}
	}
}
