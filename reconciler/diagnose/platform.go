package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

const (
	skewWarning, skewFault = time.Minute, 5 * time.Minute
	// nearLimit is the share of a limit from which it is worth telling.
	nearLimit = 0.8
)

// OfPlatform judges how an environment's platform is reached and used.
func OfPlatform(at Place, e manifest.Environment, d providers.Diagnosis) []Check {
	scope := e.Name
	if e.Provider.AWS == nil {
		return []Check{subject{"credentials", scope}.skipped("the environment is not on AWS")}
	}
	out := reached(at, scope, *e.Provider.AWS, d.Reached)
	out = append(out, OfClock("clock", scope, "AWS", d.Clock))
	if d.Reached.Why != "" {
		for _, name := range []string{"permissions", "limits", "hints"} {
			out = append(out, subject{name, scope}.skipped("the account was not reached"))
		}
		return append(out, switchRole(at, e, d)...)
	}
	out = append(out, permissions(at, e, d))
	out = append(out, limits(e, d.Limits)...)
	out = append(out, switchRole(at, e, d)...)
	if d.Hints == nil {
		return append(out, subject{"hints", scope}.skipped("no queue is named with `hints:`; changes are found by looking alone"))
	}
	return append(out, OfHints(at, scope, *d.Hints)...)
}

func switchRole(at Place, e manifest.Environment, d providers.Diagnosis) []Check {
	if e.Rollout.Deadman == nil {
		return nil
	}
	return []Check{OfSwitchRole(at, e, d.Switch)}
}

func reached(at Place, scope string, target manifest.AWSTarget, r providers.Reached) []Check {
	credentials, account := subject{"credentials", scope}, subject{"account", scope}
	if r.Why != "" {
		return []Check{remedied(at, scope, target, r, credentials.fault(remedyFor(target, r.Why), "%s", notReached(target, r))), account.skipped("the account was not reached")}
	}
	out := []Check{credentials.ok("%s", as(target, r))}
	switch {
	case target.Account == "":
		return append(out, account.warning(fmt.Sprintf("add `account: %q` to the environment's provider: a mix-up of credentials is then refused before anything is written", r.Account),
			"the credentials lead to account %s, and none is declared", r.Account))
	case target.Account != r.Account:
		return append(out, account.fault("use credentials of account "+target.Account+", or correct `account:` in mooring.yaml",
			"the credentials lead to account %s, and %s is declared", r.Account, target.Account))
	}
	return append(out, account.ok("%s, as declared", r.Account))
}

func as(target manifest.AWSTarget, r providers.Reached) string {
	if target.RoleArn == "" {
		return r.Identity
	}
	return r.Identity + ", having taken " + target.RoleArn
}

func notReached(target manifest.AWSTarget, r providers.Reached) string {
	switch r.Why {
	case providers.NoCredentials:
		return r.Text
	case providers.ExpiredCredentials:
		return "the credentials have expired: " + r.Text
	case providers.RefusedCredentials:
		return "the credentials are refused: " + r.Text
	case providers.RoleNotTaken:
		return "the role " + target.RoleArn + " may not be taken: " + r.Text
	case providers.ClockRefused:
		return "AWS refuses this machine's clock: " + r.Text
	case providers.Unreachable:
		return "AWS does not answer: " + r.Text
	}
	return r.Text
}

func remedyFor(target manifest.AWSTarget, why string) string {
	switch why {
	case providers.NoCredentials:
		return "give some by the SDK's rules: AWS_PROFILE, AWS_ACCESS_KEY_ID, a web identity or an instance role"
	case providers.ExpiredCredentials:
		return "get new ones (`aws sso login`, or a new session), or use a role that renews itself"
	case providers.RefusedCredentials:
		return "correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE; with the same environment the command says who they are"
	case providers.RoleNotTaken:
		return "let the identity call sts:AssumeRole on " + target.RoleArn + " (`mooring iam --calling`), and let the role, which may have to be made, be taken by the account's identities (`--principal ARN` for one alone)"
	case providers.ClockRefused:
		return "set the clock"
	}
	return "correct the region, AWS_ENDPOINT_URL, HTTPS_PROXY or the network; with the same environment the command says whether AWS answers"
}

const (
	setClock  = "timedatectl set-ntp true"
	trustFile = "mooring-trust.json"
)

// remedied adds the command, where there is one.
func remedied(at Place, scope string, target manifest.AWSTarget, r providers.Reached, c Check) Check {
	switch r.Why {
	case providers.RefusedCredentials, providers.Unreachable, providers.OtherRefusal:
		return c.by(aws(target.Region, "sts", "get-caller-identity"))
	case providers.RoleNotTaken:
		role, file := roleName(target.RoleArn), "file://"+trustFile
		return c.by(then(at.mooring("iam --environment "+scope+" --trust")+" > "+trustFile, // whether it is there is not told to us
			"{ "+aws("", "iam", "create-role", "--role-name", role, "--assume-role-policy-document", file)+" || "+
				aws("", "iam", "update-assume-role-policy", "--role-name", role, "--policy-document", file)+"; }"))
	case providers.ClockRefused:
		return c.by(setClock)
	}
	return c
}

// OfClock judges our clock against somebody's.
func OfClock(name, scope, whose string, c providers.Clock) Check {
	s := subject{name, scope}
	ahead, direction := c.Ahead, "ahead of"
	if ahead < 0 {
		ahead, direction = -ahead, "behind"
	}
	const remedy = "set the clock; AWS refuses signatures that are five minutes off"
	switch {
	case !c.Known:
		return s.skipped("%s told no time", whose)
	case ahead > skewFault:
		return s.fault(remedy, "this machine's clock is %s %s %s's", ahead, direction, whose).by(setClock)
	case ahead > skewWarning:
		return s.warning(remedy, "this machine's clock is %s %s %s's", ahead, direction, whose).by(setClock)
	}
	return s.ok("within %s of %s's", max(ahead, time.Second), whose)
}

func permissions(at Place, e manifest.Environment, d providers.Diagnosis) Check {
	s, reads := subject{"permissions", e.Name}, d.Reads
	var denied, odd []string
	for _, r := range reads {
		switch {
		case r.Denied:
			denied = append(denied, r.Action)
		case r.Code != "":
			odd = append(odd, r.Action+" ("+r.Code+")")
		}
	}
	switch {
	case len(reads) == 0:
		return s.skipped("nothing was tried")
	case len(denied) > 0:
		return s.fault("allow them; the command gives the identity what `mooring iam` prints", "missing: %s", strings.Join(denied, ", ")).by(allowing(at, e, d.Reached))
	case len(odd) > 0:
		return s.warning("try again; where it stays, look at the service's health and the endpoint", "not answered: %s", some(odd, ", "))
	}
	return s.ok("%d reads were tried, and none was refused; writes are not tried", len(reads))
}

// allowing gives an identity the policy that mooring iam prints: a role has
// room for it, a user does not.
func allowing(at Place, e manifest.Environment, r providers.Reached) string {
	file := "mooring-" + e.Name + ".json"
	printed := at.mooring("iam --environment "+e.Name) + " > " + file
	kind, name, _ := strings.Cut(r.Identity, "/")
	switch kind {
	case "assumed-role":
		name, _, _ = strings.Cut(name, "/")
		if e.Provider.AWS.RoleArn != "" {
			name = roleName(e.Provider.AWS.RoleArn)
		}
		return then(printed, aws("", "iam", "put-role-policy", "--role-name", name, "--policy-name", "mooring", "--policy-document", "file://"+file))
	case "user":
		policy := "mooring-" + e.Name
		return then(printed, aws("", "iam", "create-policy", "--policy-name", policy, "--policy-document", "file://"+file),
			aws("", "iam", "attach-user-policy", "--user-name", roleName(name), "--policy-arn", "arn:"+manifest.Partition(e.Provider.AWS.Region)+":iam::"+r.Account+":policy/"+policy))
	}
	return printed
}

func limits(e manifest.Environment, all []providers.Limit) []Check {
	if len(all) == 0 {
		return []Check{subject{"limits", e.Name}.skipped("the account's limits could not be read: lambda:GetAccountSettings")}
	}
	var out []Check
	for _, l := range all {
		s := subject{l.Name, e.Name}
		found := fmt.Sprintf("%.0f of %.0f %s are used", l.Used, l.Allowed, l.Unit)
		if l.Unit == "bytes" {
			found = fmt.Sprintf("%.1f of %.0f GiB are used", l.Used/(1<<30), l.Allowed/(1<<30))
		}
		switch {
		case l.Allowed <= 0:
			out = append(out, s.warning("ask AWS for more", "the account is so small that no function may reserve concurrency").by(askForMore(e, l.Name, ordinaryConcurrency)))
		case l.Used >= nearLimit*l.Allowed:
			out = append(out, s.warning(limitRemedy[l.Name], "%s", found).by(askForMore(e, l.Name, twice(l))))
		default:
			out = append(out, s.ok("%s", found))
		}
	}
	return out
}

var limitRemedy = map[string]string{
	"concurrency":  "reserve less (`aws lambda delete-function-concurrency`), or ask AWS for more",
	"code-storage": "remove old versions and layers of functions Mooring does not manage, or ask AWS for more",
}

// ordinaryConcurrency is what accounts have that are not new.
const ordinaryConcurrency = 1000

// twice is a limit's double, in the unit of Service Quotas.
func twice(l providers.Limit) float64 {
	if l.Unit == "bytes" {
		return math.Ceil(2 * l.Allowed / (1 << 30)) // asked for in gigabytes
	}
	return 2 * (l.Allowed + unreservable)
}

// unreservable is the concurrency that AWS keeps for functions that reserve none.
const unreservable = 100

func askForMore(e manifest.Environment, limit string, wanted float64) string {
	code := map[string]string{"concurrency": "L-B99A9384", "code-storage": "L-2ACBD22F"}[limit]
	return aws(e.Provider.AWS.Region, "service-quotas", "request-service-quota-increase", "--service-code", "lambda", "--quota-code", code,
		"--desired-value", fmt.Sprintf("%.0f", wanted))
}

// Lane is one of the account's API rates, as a daemon uses it.
type Lane struct {
	Name               string
	PerSecond, Allowed float64 // the account's, and what the daemon takes
	UsedRatio          float64 // of PerSecond, over the last minute
	Throttles          int64
}

// OfLanes judges how a daemon gets along with the account's rates.
func OfLanes(lanes []Lane) Check {
	s := subject{name: "rates"}
	var refused, full []string
	busiest := Lane{}
	for _, l := range lanes {
		if l.UsedRatio >= busiest.UsedRatio {
			busiest = l
		}
		if l.Throttles > 0 {
			refused = append(refused, fmt.Sprintf("%s (%d)", l.Name, l.Throttles))
		}
		if share := l.UsedRatio * l.PerSecond; l.Allowed > 0 && share >= 0.9*l.Allowed {
			full = append(full, l.Name)
		}
	}
	slices.Sort(refused)
	switch {
	case len(lanes) == 0:
		return s.skipped("the daemon has called nothing yet")
	case len(refused) > 0:
		return s.warning("others call these too: looks become older meanwhile; lower --sweep-share, or see who calls (CloudTrail)", "the account refused calls for their rate: %s", some(refused, ", "))
	case len(full) > 0:
		return s.warning("looks are as old as `mooring status` says; raise --sweep-share, drift.interval, or both", "the daemon's share is used up: %s", some(full, ", "))
	}
	return s.ok("%d rates are used; the busiest is %s with %.0f%% of what the account allows", len(lanes), busiest.Name, 100*busiest.UsedRatio)
}
