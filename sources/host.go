package sources

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Host is a service around a repository on which people review: it keeps pull
// requests, reviews, statuses of commits and comments. Nothing it says is
// content: what is on a branch is read from the Source. Every method may be
// retried; none waits for a rate to recover (LimitedError).
type Host interface {
	// Requests are the open pull requests into a branch, oldest first. Those
	// from another repository are among them, marked Foreign.
	Requests(ctx context.Context, base string) ([]PullRequest, error)
	// Find is the newest pull request from one branch into another, whatever
	// its state; ok is false when there never was one.
	Find(ctx context.Context, head, base string) (r PullRequest, ok bool, err error)
	// Upsert makes the open pull request of d's branches what d says, opening
	// one only where none is open.
	Upsert(ctx context.Context, d Draft) (PullRequest, error)
	// Reviews are the newest word of each person, dismissed ones left out.
	Reviews(ctx context.Context, number int) ([]Review, error)
	// Status says how a commit stands. What was said last is not said again. With
	// ErrFull it was not said and never will be: the host shows what it took last.
	Status(ctx context.Context, s CommitStatus) error
	// Comment makes the one comment that carries marker what text says, and
	// returns when the host last changed it, by the host's clock.
	Comment(ctx context.Context, c Comment) (time.Time, error)
	// Facts is what our credentials may do there.
	Facts(ctx context.Context, branch string) (HostFacts, error)
}

// RequestState is how a pull request stands. The zero value is closed.
type RequestState string

const (
	RequestClosed RequestState = ""
	RequestOpen   RequestState = "open"
	RequestMerged RequestState = "merged"
)

// PullRequest is one as the host shows it.
type PullRequest struct {
	Number  int
	State   RequestState
	Head    string // the branch it brings
	Base    string // the branch it is to be merged into
	Commit  string // at which Head is
	Title   string
	Body    string
	Author  string // login
	URL     string
	Foreign bool // Head stands in another repository
}

// Draft is a pull request as it shall be.
type Draft struct{ Head, Base, Title, Body string }

// Verdict of a review. The zero value says nothing either way.
type Verdict string

const (
	Approves        Verdict = "approves"
	RequestsChanges Verdict = "requests_changes"
)

// Review is one person's newest word on a pull request.
type Review struct {
	ID      string // the host's; a newer word has another
	Login   string
	Verdict Verdict
	// Commit that was looked at. Empty where the host does not say: then it
	// is good for no commit.
	Commit string
	At     time.Time // by the host's clock
	Body   string
}

// StatusState of a commit. The zero value is pending.
type StatusState string

const (
	StatusPending StatusState = ""
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure"
)

// CommitStatus is one line on a commit, told apart by Context.
type CommitStatus struct {
	Commit  string
	Context string // as mooring/production
	State   StatusState
	Text    string // cut to what the host takes
	URL     string // for more; may be ""
}

// Comment on a pull request.
type Comment struct {
	Number int
	Marker string // names it; people do not see it
	Text   string // Markdown; cut to what the host takes
}

// HostFacts is what a host lets us do.
type HostFacts struct {
	Repository string // as the host calls it
	Login      string // whose credentials these are; "" where it does not tell
	// Write: branches may be pushed, pull requests opened, statuses written.
	// Known is false where the host does not tell.
	Write, WriteKnown bool
	// Lacks are rights that are missing, by the host's names, where it tells.
	Lacks []string
	// Protected: the host keeps the branch from being pushed to by anybody.
	Protected, ProtectedKnown bool
}

// ErrNoHost: the host does not know the repository, or not for us.
var ErrNoHost = errors.New("the host does not show this repository")

// ErrFull: the host takes no status any more of this commit in this context.
// GitHub takes 1,000.
var ErrFull = errors.New("the host takes no more statuses of this commit")

// LimitedError: the host wants to be asked no more before Until.
type LimitedError struct{ Until time.Time }

func (e *LimitedError) Error() string {
	return fmt.Sprintf("the host wants to be left alone until %s", e.Until.UTC().Format(time.RFC3339))
}
