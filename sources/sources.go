// Package sources is the contract of where declared state comes from: commits
// of branches, each with an immutable tree. It refuses to know any transport;
// its children do (git, dir), and artifact and manifest read what they bring.
package sources

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Commit is one commit of a branch.
type Commit struct {
	SHA       string
	Parents   []string
	Author    Identity
	Committer Identity
	Message   string
	Trailers  map[string]string // "Key: value" lines of the last paragraph
	Time      time.Time         // the committer's; never trusted for ordering
	Signature Signature
	// Proof is what Signature is found from; zero where there is no signature.
	Proof Proof
}

// Identity is who a commit says made it. It is a claim, not a proof.
type Identity struct{ Name, Email string }

// Signature is what a verification found. The zero value is "unsigned".
type Signature struct {
	Status string // "" (unsigned) | valid | invalid | unknown_key | unchecked
	Kind   string // ssh | pgp
	KeyID  string
	Signer string
	Why    string // for people: why it is not valid
}

// Proof is a commit's signature as it was written, and what it is about.
type Proof struct {
	Armored string // the signature's text
	Payload string // the commit without it; "" if that would be another commit
}

// Signers are those whose signatures of commits count.
type Signers interface {
	// Check finds what a commit's signature comes to at a moment: a key that
	// has run out, or is not good yet, proves nothing.
	Check(c Commit, now time.Time) Signature
	// ID names the set: equal ids, equal answers.
	ID() string
}

// Update says how a branch came to its present commit, seen from the commit
// before.
type Update string

const (
	UpdateNone        Update = ""
	UpdateCreated     Update = "created"
	UpdateFastForward Update = "fast_forward"
	UpdateMerge       Update = "merge" // a fast-forward whose tip is a merge commit
	UpdateForced      Update = "forced"
	UpdateDeleted     Update = "deleted"
)

// Snapshot is one branch at one moment. It is immutable.
type Snapshot struct {
	Commit Commit
	// TreeID names the content: equal ids, equal trees.
	TreeID string
	// Tree walks the committed files. A file's FileInfo.Sys() may be a
	// ContentID, so that what did not change need not be read again.
	// Hostile entries (symbolic links, gitlinks, names that leave the tree)
	// are visible with their mode and cannot be opened.
	Tree fs.FS
}

// ContentID names a file's content (a blob hash), or all that is in a folder (a
// tree hash). FileInfo.Sys() of a Tree may return one.
type ContentID string

// String is the id itself. Readers of a tree that do not import this package
// recognise a ContentID by it.
func (c ContentID) String() string { return string(c) }

// Source is a repository of environment state. Every method may be retried.
type Source interface {
	// Fetch brings all branches up to date and returns each by name. A
	// branch that is gone upstream is absent; a failed Fetch returns an
	// error and changes nothing.
	Fetch(ctx context.Context) (map[string]Snapshot, error)
	// Watch calls wake, soon after something changed or may have, until ctx
	// ends. Wakes are hints: they coalesce, and may be spurious.
	Watch(ctx context.Context, wake func()) error
	// Classify says how a branch got from one commit to another. from may be
	// "" (created); to may be "" (deleted).
	Classify(ctx context.Context, from, to string) (Update, error)
	// Open returns a commit fetched earlier and kept, upstream or not.
	Open(ctx context.Context, sha string) (Snapshot, error)
	// Keep pins commits by name so that they outlive upstream rewrites and
	// garbage collection; an empty sha releases the name.
	Keep(ctx context.Context, name, sha string) error
}

// Main is a Source that knows which of its branches the repository has as its
// default, as of the last Fetch; "" where it has none.
type Main interface{ DefaultBranch() string }

// ControlBranch is the name of the control branch among those that a Fetch of s
// brought: the one that was named, or, where none was, main, or the
// repository's default branch where there is no main.
func ControlBranch(named string, s Source, fetched map[string]Snapshot) string {
	if named != "" {
		return named
	}
	if _, ok := fetched["main"]; !ok {
		if m, knows := s.(Main); knows && m.DefaultBranch() != "" {
			return m.DefaultBranch()
		}
	}
	return "main"
}

// Visitor is a Source that can look at a commit which stands on none of its
// branches: one that a fork's pull request brings.
type Visitor interface {
	// Visit reads a commit that the repository has under whatever name, and
	// keeps nothing of it: neither Open nor a later Fetch knows of it by that.
	// ErrUnknownCommit where it has none, as with hosts that do not show what
	// forks bring.
	Visit(ctx context.Context, sha string) (Snapshot, error)
}

// Edit asks for Branch to take the whole tree of Source.
type Edit struct {
	Branch string
	Expect string // the commit Branch is thought to be at; "" if it should not exist
	Source string // the commit whose tree is wanted
	Path   string // only this subtree, where environments share a branch
	// SourcePath is where that subtree stands in Source; "" if it is at Path.
	SourcePath string
	// Onto is the commit that the content is brought onto, where that is not
	// Expect: Branch is then one that is offered for review. It is replaced
	// whatever it held, unless it offers the same content onto Onto already.
	Onto string
	// Files are put onto the tree of Source, each whole, by its path from the
	// root; Path and SourcePath are not for them.
	Files   map[string][]byte
	Message string // trailers included
	Author  Identity
}

// Proposal is what became of an Edit.
type Proposal struct {
	SHA         string // the commit now on the branch
	FastForward bool   // no new commit was needed
}

// Proposer moves content between branches.
type Proposer interface {
	// Propose pushes, guarded by Edit.Expect: ErrMoved if the branch is
	// elsewhere by now. Fast-forward where ancestry allows, else a merge
	// commit whose tree equals the source's.
	Propose(ctx context.Context, e Edit) (Proposal, error)
}

var (
	// ErrMoved: the branch is not where the edit thought. Fetch and think again.
	ErrMoved = errors.New("branch has moved")
	// ErrUnknownCommit: the commit was never fetched or not kept.
	ErrUnknownCommit = errors.New("unknown commit")
	// ErrRefused: the repository refuses (protected branch, hook, permission).
	ErrRefused = errors.New("push refused")
	// ErrUnauthorized: the repository does not accept our credentials.
	ErrUnauthorized = errors.New("unauthorized")
	// ErrUnreachable: no answer; try again later.
	ErrUnreachable = errors.New("unreachable")
)
