// Package hosttest is git hosts to test against: one repository with pull
// requests, reviews, comments and statuses in memory, behind the wire API of
// each host. It refuses to know what the tests want.
package hosttest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Owner and Name of the repository, and the Token that opens it.
const (
	Owner = "acme"
	Name  = "shop"
	Token = "secret-token-of-the-host"
)

// Repository is what a host knows. Its methods may be called at any time.
type Repository struct {
	// Head says which commit a branch is at; "" when there is none.
	Head func(branch string) string
	// ReadOnly: the token may not write.
	ReadOnly bool
	// PageCap is how many entries of a list it gives at once, however many are
	// asked for; 0: as many.
	PageCap int
	// Words are what it says when it refuses; "" for a few of its own.
	Words string
	// Left is somebody who left the workspace, and may review no more.
	Left string
	// Still: its clock stands, so that what happens does in the same second.
	Still bool

	mu        sync.Mutex
	clock     time.Time
	pulls     []*Pull
	statuses  []Status
	protected map[string]bool
	limited   []http.Header // answers to come that refuse
	refused   []int
	broken    int // the status of every answer; 0: it answers
	asked     int
	nextID    int64
}

// Pull is a pull request.
type Pull struct {
	Number      int
	Title, Body string
	Head, Base  string
	Author      string
	State       string // open | closed | merged
	Foreign     bool
	Reviewers   []string // who was asked to review it
	Reviews     []*Review
	Comments    []*Comment
	versions    []version // which commit it brought since when
	edits       int
}

type version struct {
	at     time.Time
	commit string
}

// Review is one word of somebody.
type Review struct {
	ID               int64
	By, Word, Commit string // word: approved | changes | comment
	Dismissed        bool
	At               time.Time
}

// Comment on a pull request.
type Comment struct {
	ID      int64
	By      string
	Text    string
	Changed time.Time
	Edits   int
}

// Status of a commit. Key is what tells it from others where that is not its
// context.
type Status struct{ Commit, Context, State, Text, URL, Key string }

// New makes an empty repository in which every branch is where head says.
func New(head func(branch string) string) *Repository {
	return &Repository{Head: head, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), protected: map[string]bool{}}
}

// tick is the host's clock: every event has its own second, unless it is still.
func (r *Repository) tick() time.Time {
	if !r.Still {
		r.clock = r.clock.Add(time.Second)
	}
	return r.clock
}

func (r *Repository) id() int64 { r.nextID++; return r.nextID }

// commit of a pull request: where its branch is while it is open.
func (r *Repository) commit(p *Pull) string {
	if sha := r.Head(p.Head); p.State == "open" && sha != "" && (len(p.versions) == 0 || p.versions[len(p.versions)-1].commit != sha) {
		p.versions = append(p.versions, version{r.tick(), sha})
	}
	if len(p.versions) == 0 {
		return ""
	}
	return p.versions[len(p.versions)-1].commit
}

// Open opens a pull request as a person does.
func (r *Repository) Open(p Pull) *Pull {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open(p)
}

func (r *Repository) open(p Pull) *Pull {
	p.Number, p.State = len(r.pulls)+1, "open"
	made := &p
	r.pulls = append(r.pulls, made)
	r.commit(made)
	return made
}

// Review says a person's word on what a pull request brings now.
func (r *Repository) Review(number int, by, word string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pull(number)
	p.Reviews = append(p.Reviews, &Review{ID: r.id(), By: by, Word: word, Commit: r.commit(p), At: r.tick()})
}

// Ask asks somebody for a review.
func (r *Repository) Ask(number int, who string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pull(number)
	p.Reviewers = append(p.Reviewers, who)
}

// Dismiss takes a person's words back.
func (r *Repository) Dismiss(number int, by string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.pull(number).Reviews {
		if v.By == by {
			v.Dismissed = true
		}
	}
}

// DismissLast takes a person's newest word back, and none before it.
func (r *Repository) DismissLast(number int, by string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range slices.Backward(r.pull(number).Reviews) {
		if v.By == by {
			v.Dismissed = true
			return
		}
	}
}

// Say comments as a person does.
func (r *Repository) Say(number int, by, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pull(number)
	p.Comments = append(p.Comments, &Comment{ID: r.id(), By: by, Text: text, Changed: r.tick()})
}

// Close ends a pull request: state is closed or merged.
func (r *Repository) Close(number int, state string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pull(number)
	r.commit(p)
	p.State = state
}

// Rename gives a pull request another title, as a person does.
func (r *Repository) Rename(number int, title string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pull(number).Title = title
}

// Reopen opens one that was closed again.
func (r *Repository) Reopen(number int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pull(number).State = "open"
}

// Protect keeps a branch.
func (r *Repository) Protect(branch string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.protected[branch] = true
}

// Refuse makes the next answer one with this status and these headers.
func (r *Repository) Refuse(status int, h http.Header) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused, r.limited = append(r.refused, status), append(r.limited, h)
}

// Break makes every answer one with this status, until it is called with 0.
func (r *Repository) Break(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = status
}

// Asked is how many requests were answered.
func (r *Repository) Asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// Pulls are copies of all pull requests.
func (r *Repository) Pulls() []Pull {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Pull, len(r.pulls))
	for i, p := range r.pulls {
		out[i] = *p
		out[i].Comments, out[i].Reviewers = nil, slices.Clone(p.Reviewers)
		for _, c := range p.Comments {
			copied := *c
			out[i].Comments = append(out[i].Comments, &copied)
		}
	}
	return out
}

// Statuses are all that were set, in order.
func (r *Repository) Statuses() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.statuses)
}

func (r *Repository) pull(number int) *Pull {
	if number < 1 || number > len(r.pulls) {
		return nil
	}
	return r.pulls[number-1]
}

// ours: a comment is Mooring's. Nobody's but one's own are written over.
func (p *Pull) ours(id int64) bool {
	return slices.ContainsFunc(p.Comments, func(c *Comment) bool { return c.ID == id && c.By == "mooring" })
}

func notYours() (int, any) {
	return http.StatusForbidden, object{"message": "you may not change this comment"}
}

// writeComment changes the comment with an id, or makes one.
func (r *Repository) writeComment(p *Pull, id int64, text string) *Comment {
	for _, c := range p.Comments {
		if c.ID == id {
			c.Text, c.Changed, c.Edits = text, r.tick(), c.Edits+1
			return c
		}
	}
	c := &Comment{ID: r.id(), By: "mooring", Text: text, Changed: r.tick()}
	p.Comments = append(p.Comments, c)
	return c
}

// dup: an open request from and into the same branches is there already.
func (r *Repository) dup(head, base string) bool {
	return slices.ContainsFunc(r.pulls, func(p *Pull) bool {
		return p.State == "open" && !p.Foreign && p.Head == head && p.Base == base
	})
}

func fullName(foreign bool) string {
	if foreign {
		return "stranger/" + Name
	}
	return Owner + "/" + Name
}

func trimRef(s string) string { return strings.TrimPrefix(s, "refs/heads/") }
