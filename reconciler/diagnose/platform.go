package diagnose

import (
	"fmt"
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
func OfPlatform(e manifest.Environment, d providers.Diagnosis) []Check {
	scope := e.Name
	if e.Provider.AWS == nil {
		return []Check{subject{"credentials", scope}.skipped("the environment is not on AWS")}
	}
	out := reached(scope, *e.Provider.AWS, d.Reached)
	out = append(out, OfClock("clock", scope, "AWS", d.Clock))
	if d.Reached.Why != "" {
		for _, name := range []string{"permissions", "limits", "hints"} {
			out = append(out, subject{name, scope}.skipped("the account was not reached"))
		}
		return append(out, switchRole(e, d)...)
	}
	out = append(out, permissions(scope, d.Reads))
	out = append(out, limits(scope, d.Limits)...)
	out = append(out, switchRole(e, d)...)
	if d.Hints == nil {
		return append(out, subject{"hints", scope}.skipped("no queue is named with `hints:`; changes are found by looking alone"))
	}
	return append(out, OfHints(scope, *d.Hints)...)
}

func switchRole(e manifest.Environment, d providers.Diagnosis) []Check {
	if e.Rollout.Deadman == nil {
		return nil
	}
	return []Check{OfSwitchRole(e, d.Switch)}
}

func reached(scope string, target manifest.AWSTarget, r providers.Reached) []Check {
	credentials, account := subject{"credentials", scope}, subject{"account", scope}
	if r.Why != "" {
		return []Check{credentials.fault(remedyFor(target, r.Why), "%s", notReached(target, r)), account.skipped("the account was not reached")}
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
		return "check AWS_ACCESS_KEY_ID and AWS_PROFILE: `aws sts get-caller-identity` with the same environment"
	case providers.RoleNotTaken:
		return "let the identity call sts:AssumeRole on " + target.RoleArn + ", and name it in the role's trust policy (with the external id, where one is declared)"
	case providers.ClockRefused:
		return "set the clock: `timedatectl set-ntp true`"
	}
	return "check the region, AWS_ENDPOINT_URL, HTTPS_PROXY and the network: `aws sts get-caller-identity --region " + target.Region + "`"
}

// OfClock judges our clock against somebody's.
func OfClock(name, scope, whose string, c providers.Clock) Check {
	s := subject{name, scope}
	ahead, direction := c.Ahead, "ahead of"
	if ahead < 0 {
		ahead, direction = -ahead, "behind"
	}
	const remedy = "set the clock: `timedatectl set-ntp true`; AWS refuses signatures that are five minutes off"
	switch {
	case !c.Known:
		return s.skipped("%s told no time", whose)
	case ahead > skewFault:
		return s.fault(remedy, "this machine's clock is %s %s %s's", ahead, direction, whose)
	case ahead > skewWarning:
		return s.warning(remedy, "this machine's clock is %s %s %s's", ahead, direction, whose)
	}
	return s.ok("within %s of %s's", max(ahead, time.Second), whose)
}

func permissions(scope string, reads []providers.Read) Check {
	s := subject{"permissions", scope}
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
		return s.fault("allow them; `mooring iam --environment "+scope+"` prints the policy", "missing: %s", strings.Join(denied, ", "))
	case len(odd) > 0:
		return s.warning("try again; where it stays, look at the service's health and the endpoint", "not answered: %s", some(odd, ", "))
	}
	return s.ok("%d reads were tried, and none was refused; writes are not tried", len(reads))
}

func limits(scope string, all []providers.Limit) []Check {
	if len(all) == 0 {
		return []Check{subject{"limits", scope}.skipped("the account's limits could not be read: lambda:GetAccountSettings")}
	}
	var out []Check
	for _, l := range all {
		s := subject{l.Name, scope}
		found := fmt.Sprintf("%.0f of %.0f %s are used", l.Used, l.Allowed, l.Unit)
		switch {
		case l.Allowed <= 0:
			out = append(out, s.warning("ask AWS to raise the account's concurrency (Service Quotas, L-B99A9384)", "the account is so small that no function may reserve concurrency"))
		case l.Used >= nearLimit*l.Allowed:
			out = append(out, s.warning(limitRemedy[l.Name], "%s", found))
		default:
			out = append(out, s.ok("%s", found))
		}
	}
	return out
}

var limitRemedy = map[string]string{
	"concurrency":  "reserve less, or ask AWS for more (Service Quotas, L-B99A9384)",
	"code-storage": "remove old versions and layers of functions Mooring does not manage, or ask AWS for more (Service Quotas, L-2ACBD22F)",
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
