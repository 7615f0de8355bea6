package git

import "strings"

const headsPrefix = "refs/heads/"

// maxRefName bounds a branch name, in bytes: longer ones are no file name.
const maxRefName = 250

// branchOf gives the branch a full reference name stands for, if it is one
// that cannot be mistaken for something else: git's own rules for names, so
// that a name never leaves the folder it is stored in.
func branchOf(ref string) (string, bool) {
	branch, found := strings.CutPrefix(ref, headsPrefix)
	return branch, found && validBranch(branch)
}

// validBranch holds a name against git's rules for references.
func validBranch(name string) bool {
	if name == "" || len(name) > maxRefName || name == "@" || strings.HasSuffix(name, ".") {
		return false
	}
	if strings.Contains(name, "..") || strings.Contains(name, "@{") || strings.HasPrefix(name, "-") {
		return false
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`~^:?*[\`, r) {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}
