package diagnose

import "strings"

// Host is the service people review on, as far as it was asked.
type Host struct {
	Name       string // github, gitlab, gitea, bitbucket
	Repository string // as the pipeline names it
	Unread     []string
	Err        error // it did not answer, or not to us
	Login      string
	// Write: statuses and pull requests may be written; Known is false where
	// the host does not tell.
	Write, WriteKnown bool
	Lacks             []string // rights that are missing, by the host's names
	Webhook           bool     // there is a secret for them, and it can be read
	Generic           bool     // webhooks of something else are taken
	Branches          []HostBranch
}

// HostBranch is an environment's branch there.
type HostBranch struct {
	Environment, Branch, Promotion string
	Err                            error
	// Protected: nobody pushes to it just so; Known is false where the host does
	// not tell.
	Protected, ProtectedKnown bool
}

// OfHost judges what the host lets us do.
func OfHost(h Host) []Check {
	reach, rights, hooks := subject{"host", h.Name}, subject{"host-rights", h.Name}, subject{"host-webhook", h.Name}
	var out []Check
	switch {
	case len(h.Unread) > 0:
		return append(out, reach.fault("set them where the daemon runs, and run `mooring doctor` with the daemon's environment", "%s", strings.Join(h.Unread, "; ")),
			rights.skipped("its secrets cannot be read"), hooks.skipped("its secrets cannot be read"))
	case h.Repository == "":
		return append(out, hooks.ok("webhooks are taken"))
	case h.Err != nil:
		return append(out, reach.fault("check repository, endpoint and token of spec.host from where the daemon runs; docs/hosts.md says which rights the token needs", "%s is not shown to us: %v", h.Repository, h.Err),
			rights.skipped("the host did not answer"), hook(hooks, h))
	}
	out = append(out, reach.ok("%s is shown%s", h.Repository, shownTo(h.Login)))
	switch {
	case !h.WriteKnown:
		out = append(out, rights.skipped("the host does not tell what the token may do"))
	case !h.Write:
		out = append(out, rights.fault("give the token the rights that docs/hosts.md names", "the token may not write: no status, no comment, no pull request%s", lacks(h.Lacks)))
	default:
		out = append(out, rights.ok("the token may write"))
	}
	out = append(out, hook(hooks, h))
	for _, b := range h.Branches {
		out = append(out, b.check())
	}
	return out
}

func lacks(rights []string) string {
	if len(rights) == 0 {
		return ""
	}
	return "; it lacks " + strings.Join(rights, ", ")
}

func shownTo(login string) string {
	if login == "" {
		return ""
	}
	return " to " + login
}

func hook(s subject, h Host) Check {
	if h.Webhook || h.Generic {
		return s.ok("webhooks are taken")
	}
	return s.warning("set webhookSecret, and the webhook on the host: docs/hosts.md", "no webhook is taken: pushes and reviews are seen at the next poll")
}

// check says whether how content comes in and what the host lets through go
// together.
func (b HostBranch) check() Check {
	s := subject{"host-branch", b.Environment}
	switch {
	case b.Err != nil:
		return s.skipped("the host does not show branch %s: %v", b.Branch, b.Err)
	case !b.ProtectedKnown:
		return s.skipped("the host does not tell whether branch %s is protected", b.Branch)
	case b.Protected && b.Promotion == "auto":
		return s.warning("let Mooring's account push past the protection, or set promotion: pullRequest", "branch %s is protected, and content is pushed to it", b.Branch)
	case !b.Protected && b.Promotion == "pullRequest":
		return s.warning("protect the branch on the host", "content comes into %s by pull request, and anybody who may write can push to %s", b.Environment, b.Branch)
	}
	return s.ok("branch %s is %s", b.Branch, map[bool]string{true: "protected", false: "not protected"}[b.Protected])
}
