// Package host speaks with the services that people review on: GitHub, GitLab,
// Gitea and Forgejo, Bitbucket Cloud and Bitbucket Data Center. What they have
// in common is done here once: a pull request is found before one is opened, a
// person's newest word holds, a status is said once, a comment is found by its
// marker. It refuses to retry, to wait, and to take anything a host says for
// content.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/sources"
)

// Kind is which service.
type Kind string

const (
	GitHub          Kind = "github"
	GitLab          Kind = "gitlab"
	Gitea           Kind = "gitea"
	BitbucketCloud  Kind = "bitbucket"
	BitbucketServer Kind = "bitbucket data center"
)

// Options of a host.
type Options struct {
	Kind Kind
	// Repository as the host names it: OWNER/NAME, on GitLab the whole path of
	// the project, on Bitbucket WORKSPACE/NAME or PROJECT/NAME.
	Repository string
	// Endpoint is the host's address where it is not the public one: as
	// https://git.example.com, without the path of its API.
	Endpoint string
	// Token is read at each request. Without it App gives one.
	Token func() (string, error)
	App   *App
	// User goes with a token that is an app password, on Bitbucket Cloud.
	User string
	// Client's transport and timeout are used; nil: one with a timeout of 30 s.
	Client *http.Client
	Now    func() time.Time
}

// driver is what differs from host to host.
type driver interface {
	// pulls are the open ones into base, from head unless that is ""; or, with
	// last, the newest of any state, and others maybe. Lists begin with the
	// newest, so that what ended long ago costs nothing.
	pulls(ctx context.Context, head, base string, last bool) ([]sources.PullRequest, error)
	open(ctx context.Context, d sources.Draft) (sources.PullRequest, error)
	edit(ctx context.Context, number int, d sources.Draft) (sources.PullRequest, error)
	reviews(ctx context.Context, number int) ([]review, error)
	status(ctx context.Context, s sources.CommitStatus) error
	comments(ctx context.Context, number int) ([]comment, error)
	// comment writes a new comment, or over the one with an id.
	comment(ctx context.Context, number int, id, text string) (comment, error)
	facts(ctx context.Context, branch string) (sources.HostFacts, error)
}

// review as a host lists it: void says that it was taken back.
type review struct {
	sources.Review
	void bool
}

type comment struct {
	id, text string
	changed  time.Time
}

// limits of what hosts take.
const (
	maxComment = 60_000 // GitHub takes 65,536 characters, Bitbucket 32,768 bytes
	maxStatus  = 140    // GitHub; GitLab and Bitbucket take 255
	maxSaid    = 4096   // statuses remembered as said
	maxPages   = 20     // of a list that is read
	pageSize   = 50
)

// errManyReviews: a list that begins with the oldest was not read to its end,
// so that who took an approval back is not known. None counts.
var errManyReviews = errors.New("there are more reviews than are read: nobody's word is known")

// Host is one repository at a host.
type Host struct {
	d       driver
	app     *App // nil: there is a token
	comment int  // bytes of the largest comment

	mu   sync.Mutex
	said map[string]sources.CommitStatus // by commit and context
	full map[string]error                // of which no status is taken any more
}

var _ sources.Host = (*Host)(nil)

// New makes a host. Nothing is asked of it yet.
func New(o Options) (*Host, error) {
	owner, name, ok := cutLast(o.Repository)
	if !ok {
		return nil, fmt.Errorf("repository %q of %s: want OWNER/NAME", o.Repository, o.Kind)
	}
	if o.App != nil && o.Token == nil {
		o.Token = o.App.Token
	}
	if o.Token == nil || o.Now == nil {
		return nil, errors.New("host: Token or App, and Now are needed")
	}
	client := o.client()
	at := place{client: client, endpoint: strings.TrimRight(o.Endpoint, "/"), owner: owner, name: name}
	h := &Host{app: o.App, comment: maxComment, said: map[string]sources.CommitStatus{}, full: map[string]error{}}
	var err error
	switch o.Kind {
	case GitHub:
		h.d, err = newGitHub(at)
	case GitLab:
		h.d, err = newGitLab(at)
	case Gitea:
		h.d, err = newGitea(at)
	case BitbucketCloud:
		h.comment, h.d = 30_000, newBitbucketCloud(at)
	case BitbucketServer:
		h.comment = 30_000
		h.d, err = newBitbucketServer(at)
	default:
		err = fmt.Errorf("host %q: want github, gitlab, gitea or bitbucket", o.Kind)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// place is a repository at a host.
type place struct {
	client      *http.Client
	endpoint    string // "" for the public one
	owner, name string
}

func cutLast(repository string) (owner, name string, ok bool) {
	repository = strings.Trim(repository, "/")
	i := strings.LastIndexByte(repository, '/')
	if i <= 0 || i == len(repository)-1 {
		return "", "", false
	}
	return repository[:i], repository[i+1:], true
}

// client is the way to the host. Redirects are not followed: the transport
// takes every answer that is no yes for an error.
func (o Options) client() *http.Client {
	base := &http.Client{Timeout: 30 * time.Second}
	if o.Client != nil {
		copied := *o.Client
		base = &copied
	}
	next := base.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	t := &transport{next: next, token: o.Token, authorise: o.authorise, now: o.Now}
	if o.App != nil {
		t.refused = o.App.Refused
	}
	base.Transport = t
	return base
}

func (o Options) authorise(h http.Header, token string) {
	switch {
	case o.Kind == GitLab:
		h.Set("PRIVATE-TOKEN", token)
	case o.Kind == Gitea:
		h.Set("Authorization", "token "+token)
	case o.User != "":
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(o.User, token)
		h.Set("Authorization", r.Header.Get("Authorization"))
	default:
		h.Set("Authorization", "Bearer "+token)
	}
}

// Requests are the open pull requests into a branch, oldest first.
func (h *Host) Requests(ctx context.Context, base string) ([]sources.PullRequest, error) {
	all, err := h.d.pulls(ctx, "", base, false)
	if err != nil {
		return nil, fmt.Errorf("list pull requests into %s: %w", base, err)
	}
	slices.SortFunc(all, func(a, b sources.PullRequest) int { return cmp.Compare(a.Number, b.Number) })
	return all, nil
}

// Find is the newest pull request of our own repository from head into base.
// An open one is preferred: there is at most one.
func (h *Host) Find(ctx context.Context, head, base string) (sources.PullRequest, bool, error) {
	for _, last := range []bool{false, true} {
		all, err := h.d.pulls(ctx, head, base, last)
		if err != nil {
			return sources.PullRequest{}, false, fmt.Errorf("find the pull request from %s into %s: %w", head, base, err)
		}
		if all = slices.DeleteFunc(all, func(r sources.PullRequest) bool { return r.Foreign }); len(all) > 0 {
			return slices.MaxFunc(all, func(a, b sources.PullRequest) int { return cmp.Compare(a.Number, b.Number) }), true, nil
		}
	}
	return sources.PullRequest{}, false, nil
}

// found: among these is one of our own repository.
func found(all []sources.PullRequest) bool {
	return slices.ContainsFunc(all, func(r sources.PullRequest) bool { return !r.Foreign })
}

// Upsert makes the open pull request of d's branches what d says.
func (h *Host) Upsert(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	d.Body, d.Title = cut(d.Body, h.comment), cut(d.Title, 250)
	there, ok, err := h.Find(ctx, d.Head, d.Base)
	if err != nil {
		return there, err
	}
	if ok && there.State == sources.RequestOpen {
		d.Title = draftWord(there.Title) + d.Title
		if there.Title == d.Title && same(there.Body, d.Body) {
			return there, nil
		}
		if there, err = h.d.edit(ctx, there.Number, d); err != nil {
			return there, fmt.Errorf("update pull request %d: %w", there.Number, err)
		}
		return there, nil
	}
	made, err := h.d.open(ctx, d)
	if err == nil {
		return made, nil
	}
	// Somebody was quicker, or the answer to our own try was lost.
	if again, ok, found := h.Find(ctx, d.Head, d.Base); found == nil && ok && again.State == sources.RequestOpen {
		return again, nil
	}
	return made, fmt.Errorf("open a pull request from %s into %s: %w", d.Head, d.Base, err)
}

// draftWord is what people put before a title, on GitLab, Gitea and Forgejo, so
// that nobody merges it yet: it stays theirs to take away.
func draftWord(title string) string {
	for _, word := range []string{"Draft:", "[Draft]", "(Draft)", "WIP:", "[WIP]"} {
		if len(title) >= len(word) && strings.EqualFold(title[:len(word)], word) {
			return title[:len(word)] + " "
		}
	}
	return ""
}

// Reviews are the newest word of each person that says yes or no and was not
// taken back.
func (h *Host) Reviews(ctx context.Context, number int) ([]sources.Review, error) {
	all, err := h.d.reviews(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("read the reviews of pull request %d: %w", number, err)
	}
	slices.SortStableFunc(all, func(a, b review) int { return a.At.Compare(b.At) })
	newest := map[string]review{}
	for _, r := range all {
		if r.Verdict != "" || r.void { // a mere comment takes nothing back
			newest[strings.ToLower(r.Login)] = r
		}
	}
	out := make([]sources.Review, 0, len(newest))
	for _, r := range newest {
		if !r.void && r.Login != "" {
			out = append(out, r.Review)
		}
	}
	slices.SortFunc(out, func(a, b sources.Review) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Login, b.Login)) })
	return out, nil
}

// Status says how a commit stands, once.
func (h *Host) Status(ctx context.Context, s sources.CommitStatus) error {
	s.Text = cut(s.Text, maxStatus)
	key := s.Commit + "|" + s.Context
	h.mu.Lock()
	before, ok := h.said[key]
	err := h.full[key]
	h.mu.Unlock()
	if ok && before == s {
		return nil
	}
	if err == nil {
		err = h.d.status(ctx, s)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.said)+len(h.full) >= maxSaid {
		clear(h.said)
		clear(h.full)
	}
	if err == nil {
		h.said[key] = s
		return nil
	}
	if errors.Is(err, sources.ErrFull) {
		h.full[key] = err
	}
	return fmt.Errorf("status %s of %.12s: %w", s.Context, s.Commit, err)
}

// Comment makes the one comment that carries the marker what the text says.
func (h *Host) Comment(ctx context.Context, c sources.Comment) (time.Time, error) {
	mark := marker(c.Marker)
	text := mark + "\n" + cut(c.Text, h.comment-len(mark)-1)
	all, err := h.d.comments(ctx, c.Number)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the comments of pull request %d: %w", c.Number, err)
	}
	marked := slices.DeleteFunc(all, func(there comment) bool { return !strings.HasPrefix(there.text, mark) })
	for _, there := range marked {
		if same(there.text, text) {
			return there.changed, nil
		}
	}
	// Anybody may write our marker: what a host does not let us write over is not ours.
	for _, there := range marked {
		changed, err := h.write(ctx, c.Number, there.id, text)
		if status := statusOf(err); status != http.StatusForbidden && status != http.StatusNotFound {
			return changed, err
		}
	}
	return h.write(ctx, c.Number, "", text)
}

// write writes a new comment, or over the one with an id.
func (h *Host) write(ctx context.Context, number int, id, text string) (time.Time, error) {
	made, err := h.d.comment(ctx, number, id, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("comment on pull request %d: %w", number, err)
	}
	return made.changed, nil
}

// marker is what people do not see: every host's Markdown takes a link
// definition for nothing to show, Bitbucket's too, which shows comments of HTML.
func marker(name string) string { return "[//]: # (" + name + ")\n" }

// same: hosts change line ends and trailing blanks.
func same(a, b string) bool {
	norm := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return norm(a) == norm(b)
}

// Facts is what our credentials may do there.
func (h *Host) Facts(ctx context.Context, branch string) (sources.HostFacts, error) {
	f, err := h.d.facts(ctx, branch)
	if err != nil {
		return f, fmt.Errorf("ask the host about the repository: %w", err)
	}
	if h.app != nil { // a repository does not tell what an App may do there
		f.Lacks = h.app.Lacks()
		f.Write, f.WriteKnown = len(f.Lacks) == 0, true
	}
	return f, nil
}
