package manifest

import (
	"slices"
	"strings"
)

// checkPolicies holds the members of policies against each other: a folder, a
// repository or a bundle, and each of the latter pinned.
func (c *pipelineCheck) checkPolicies(n *node) {
	if n == nil {
		return
	}
	report := func(field, message, hint string) {
		at, path := n, "spec.policies"
		if m := n.get(field); m != nil {
			at, path = m, path+"."+field
		}
		c.d.faults = append(c.d.faults, Fault{at.pos(), path, message, hint})
	}
	s := c.p.Policies
	if slices.Contains(strings.Split(s.Path, "/"), "..") {
		report("path", "cannot be "+quote(s.Path), "a path stays inside the repository")
	}
	if slices.Contains(strings.Split(strings.TrimPrefix(s.Bundle, "file:"), "/"), "..") {
		report("bundle", "cannot be "+quote(s.Bundle), "a path stays inside the repository, or below the directory of artifacts")
	}
	switch {
	case s.Repo != "" && s.Bundle != "":
		report("bundle", "stands beside repo", "policies come from a repository or from a bundle")
	case s.Repo != "" && (s.Ref == "") == (s.Commit == ""):
		report("repo", "needs either commit or ref", "commit pins what is run; ref follows a branch")
	case s.Bundle != "" && s.Digest == "":
		report("bundle", "needs digest", "what was reviewed is what is run: sha256:…")
	case s.Bundle != "" && s.Path != "":
		report("path", "stands beside bundle", "a bundle is taken whole")
	}
	for field, there := range map[string]bool{"ref": s.Ref != "", "commit": s.Commit != ""} {
		if there && s.Repo == "" {
			report(field, "needs repo", "without one, policies are read at the control branch's own commit")
		}
	}
	for field, there := range map[string]bool{"digest": s.Digest != "", "publicKey": s.PublicKey != ""} {
		if there && s.Bundle == "" {
			report(field, "needs bundle", "")
		}
	}
}
