package host

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"code.gitea.io/sdk/gitea"

	"mooring.dev/sources"
)

// giteaHost speaks the REST API of Gitea and Forgejo.
type giteaHost struct{ place }

// giteaVersion is what is asked for at least; telling it keeps the client from
// asking the server first. Forgejo answers the same API.
const giteaVersion = "1.22.0"

func newGitea(at place) (driver, error) {
	if at.endpoint == "" {
		return nil, errors.New("gitea: an endpoint is needed, as https://git.example.com")
	}
	return &giteaHost{at}, nil
}

// on is a client for one call: the context belongs to the client there.
func (g *giteaHost) on(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(g.endpoint, gitea.SetHTTPClient(g.client), gitea.SetGiteaVersion(giteaVersion), gitea.SetContext(ctx))
}

func (g *giteaHost) pulls(ctx context.Context, head, base string, last bool) ([]sources.PullRequest, error) {
	c, err := g.on(ctx)
	if err != nil {
		return nil, err
	}
	opts := gitea.ListPullRequestsOptions{State: gitea.StateOpen, Sort: "newest", ListOptions: gitea.ListOptions{PageSize: pageSize, Page: 1}}
	if last {
		opts.State = gitea.StateAll
	}
	var out []sources.PullRequest
	seen := 0
	for range maxPages {
		page, resp, err := c.ListRepoPullRequests(g.owner, g.name, opts)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			// The API cannot ask for branches.
			if r := g.pull(p); r.Base == base && (head == "" || r.Head == head) {
				out = append(out, r)
			}
		}
		if seen += len(page); isLast(len(page), seen, resp) || last && found(out) {
			break
		}
		opts.Page++
	}
	return out, nil
}

// isLast: nothing is after this page of a list, of which so many were seen. A
// server may give fewer at once than it is asked for (its MAX_RESPONSE_ITEMS),
// but says how many there are.
func isLast(page, seen int, resp *gitea.Response) bool {
	if page == 0 {
		return true
	}
	all, err := strconv.Atoi(resp.Header.Get("X-Total-Count"))
	return err == nil && seen >= all
}

func (g *giteaHost) pull(p *gitea.PullRequest) sources.PullRequest {
	r := sources.PullRequest{Number: int(p.Index), Title: p.Title, Body: p.Body, URL: p.HTMLURL}
	if p.Head != nil && p.Base != nil {
		r.Head, r.Commit, r.Base = p.Head.Ref, p.Head.Sha, p.Base.Ref
		r.Foreign = p.Head.RepoID != p.Base.RepoID
	}
	if p.Poster != nil {
		r.Author = p.Poster.UserName
	}
	switch {
	case p.HasMerged:
		r.State = sources.RequestMerged
	case p.State == gitea.StateOpen:
		r.State = sources.RequestOpen
	}
	return r
}

func (g *giteaHost) open(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	c, err := g.on(ctx)
	if err != nil {
		return sources.PullRequest{}, err
	}
	p, _, err := c.CreatePullRequest(g.owner, g.name, gitea.CreatePullRequestOption{Head: d.Head, Base: d.Base, Title: d.Title, Body: d.Body})
	if err != nil {
		return sources.PullRequest{}, err
	}
	return g.pull(p), nil
}

func (g *giteaHost) edit(ctx context.Context, number int, d sources.Draft) (sources.PullRequest, error) {
	c, err := g.on(ctx)
	if err != nil {
		return sources.PullRequest{}, err
	}
	p, _, err := c.EditPullRequest(g.owner, g.name, int64(number), gitea.EditPullRequestOption{Title: d.Title, Body: &d.Body})
	if err != nil {
		return sources.PullRequest{}, err
	}
	return g.pull(p), nil
}

func (g *giteaHost) reviews(ctx context.Context, number int) ([]review, error) {
	c, err := g.on(ctx)
	if err != nil {
		return nil, err
	}
	opts := gitea.ListPullReviewsOptions{ListOptions: gitea.ListOptions{PageSize: pageSize, Page: 1}}
	var out []review
	seen := 0
	for range maxPages {
		page, resp, err := c.ListPullReviews(g.owner, g.name, int64(number), opts)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			if r.Reviewer == nil {
				continue // a team was asked
			}
			v := review{void: r.Dismissed, Review: sources.Review{
				ID: strconv.FormatInt(r.ID, 10), Login: r.Reviewer.UserName, Commit: r.CommitID, At: r.Submitted, Body: r.Body,
			}}
			switch r.State {
			case gitea.ReviewStateApproved:
				v.Verdict = sources.Approves
			case gitea.ReviewStateRequestChanges:
				v.Verdict = sources.RequestsChanges
			}
			out = append(out, v)
		}
		if seen += len(page); isLast(len(page), seen, resp) {
			return out, nil
		}
		opts.Page++
	}
	return nil, errManyReviews
}

func (g *giteaHost) status(ctx context.Context, s sources.CommitStatus) error {
	c, err := g.on(ctx)
	if err != nil {
		return err
	}
	_, _, err = c.CreateStatus(g.owner, g.name, s.Commit, gitea.CreateStatusOption{
		State: stateWord(s.State, gitea.StatusPending, gitea.StatusSuccess, gitea.StatusFailure), Context: s.Context, Description: s.Text, TargetURL: s.URL,
	})
	return err
}

func (g *giteaHost) comments(ctx context.Context, number int) ([]comment, error) {
	c, err := g.on(ctx)
	if err != nil {
		return nil, err
	}
	// This list has no pages on the server: it comes whole.
	all, _, err := c.ListIssueComments(g.owner, g.name, int64(number), gitea.ListIssueCommentOptions{})
	if err != nil {
		return nil, err
	}
	out := make([]comment, 0, len(all))
	for _, n := range all {
		out = append(out, comment{id: strconv.FormatInt(n.ID, 10), text: n.Body, changed: n.Updated})
	}
	return out, nil
}

func (g *giteaHost) comment(ctx context.Context, number int, id, text string) (comment, error) {
	c, err := g.on(ctx)
	if err != nil {
		return comment{}, err
	}
	var n *gitea.Comment
	if id == "" {
		n, _, err = c.CreateIssueComment(g.owner, g.name, int64(number), gitea.CreateIssueCommentOption{Body: text})
	} else {
		var which int64
		if which, err = strconv.ParseInt(id, 10, 64); err == nil {
			n, _, err = c.EditIssueComment(g.owner, g.name, which, gitea.EditIssueCommentOption{Body: text})
		}
	}
	if err != nil {
		return comment{}, err
	}
	return comment{id: strconv.FormatInt(n.ID, 10), text: n.Body, changed: n.Updated}, nil
}

func (g *giteaHost) facts(ctx context.Context, branch string) (sources.HostFacts, error) {
	c, err := g.on(ctx)
	if err != nil {
		return sources.HostFacts{}, err
	}
	repo, _, err := c.GetRepo(g.owner, g.name)
	if err != nil {
		return sources.HostFacts{}, err
	}
	f := sources.HostFacts{Repository: repo.FullName}
	if repo.Permissions != nil {
		f.WriteKnown, f.Write = true, repo.Permissions.Push
	}
	b, _, err := c.GetRepoBranch(g.owner, g.name, branch)
	switch {
	case err == nil:
		f.ProtectedKnown, f.Protected = true, b.Protected
	case statusOf(err) != http.StatusNotFound:
		return f, err
	}
	return f, nil
}
