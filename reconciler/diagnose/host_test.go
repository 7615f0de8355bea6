package diagnose

import (
	"errors"
	"testing"
)

// Each thing a host may lack, and by which check it is told.
func TestOfHost(t *testing.T) {
	good := Host{Name: "github", Repository: "acme/shop", Login: "mooring", Write: true, WriteKnown: true, Webhook: true, Branches: []HostBranch{
		{Environment: "production", Branch: "env/production", Promotion: "pullRequest", Protected: true, ProtectedKnown: true},
	}}
	for _, c := range OfHost(good) {
		if c.Result != OK {
			t.Errorf("all is well, and %s is %s: %s", c.Name, c.Result, c.Found)
		}
	}
	for name, c := range map[string]struct {
		change func(*Host)
		check  string
		want   Result
	}{
		"no token":                   {func(h *Host) { h.Unread = []string{"token from env T: not set"} }, "host", Fault},
		"not shown":                  {func(h *Host) { h.Err = errors.New("404") }, "host", Fault},
		"may not write":              {func(h *Host) { h.Write = false }, "host-rights", Fault},
		"does not tell":              {func(h *Host) { h.WriteKnown = false }, "host-rights", Skipped},
		"no webhook":                 {func(h *Host) { h.Webhook = false }, "host-webhook", Warning},
		"another's webhook":          {func(h *Host) { h.Webhook, h.Generic = false, true }, "host-webhook", OK},
		"open branch":                {func(h *Host) { h.Branches[0].Protected = false }, "host-branch", Warning},
		"push to a protected branch": {func(h *Host) { h.Branches[0].Promotion = "auto" }, "host-branch", Warning},
		"branch by hand":             {func(h *Host) { h.Branches[0].Promotion = "manual" }, "host-branch", OK},
		"no word about the branch":   {func(h *Host) { h.Branches[0].ProtectedKnown = false }, "host-branch", Skipped},
		"the branch is not shown":    {func(h *Host) { h.Branches[0].Err = errors.New("404") }, "host-branch", Skipped},
		"only webhooks":              {func(h *Host) { *h = Host{Name: "generic", Generic: true} }, "host-webhook", OK},
	} {
		h := good
		h.Branches = append([]HostBranch{}, good.Branches...)
		c.change(&h)
		found := false
		for _, got := range OfHost(h) {
			if got.Name == c.check {
				found = true
				if got.Result != c.want || (got.Result == Fault || got.Result == Warning) && got.Remedy == "" {
					t.Errorf("%s: %+v, want %s", name, got, c.want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no check %s", name, c.check)
		}
	}
}
