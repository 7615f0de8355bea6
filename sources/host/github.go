package host

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-github/v92/github"

	"mooring.dev/sources"
)

// gitHub speaks GitHub's REST API, of github.com or of an Enterprise Server.
type gitHub struct {
	place
	c *github.Client
}

func newGitHub(at place) (driver, error) {
	// The client's own memory of limits would go by the machine's clock, and
	// its transport copy would lose ours: both are left out.
	opts := []github.ClientOptionsFunc{github.WithHTTPClient(at.client), github.WithDisableRateLimitCheck()}
	if at.endpoint != "" {
		opts = append(opts, github.WithEnterpriseURLs(at.endpoint, at.endpoint))
	}
	c, err := github.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	return &gitHub{place: at, c: c}, nil
}

func (g *gitHub) pulls(ctx context.Context, head, base string, last bool) ([]sources.PullRequest, error) {
	opts := &github.PullRequestListOptions{State: "open", Base: base, ListOptions: github.ListOptions{PerPage: pageSize}}
	if last {
		opts.State = "all"
	}
	if head != "" {
		opts.Head = g.owner + ":" + head
	}
	var out []sources.PullRequest
	for range maxPages {
		page, resp, err := g.c.PullRequests.List(ctx, g.owner, g.name, opts)
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			out = append(out, g.pull(p))
		}
		if opts.Page = resp.NextPage; opts.Page == 0 || last && found(out) {
			break
		}
	}
	return out, nil
}

func (g *gitHub) pull(p *github.PullRequest) sources.PullRequest {
	r := sources.PullRequest{
		Number: p.GetNumber(), Head: p.GetHead().GetRef(), Base: p.GetBase().GetRef(), Commit: p.GetHead().GetSHA(),
		Title: p.GetTitle(), Body: p.GetBody(), Author: p.GetUser().GetLogin(), URL: p.GetHTMLURL(),
		// A deleted fork has no repository: it is not ours either.
		Foreign: p.GetHead().GetRepo().GetFullName() != p.GetBase().GetRepo().GetFullName(),
	}
	switch {
	case p.GetState() == "open":
		r.State = sources.RequestOpen
	case p.MergedAt != nil || p.GetMerged():
		r.State = sources.RequestMerged
	}
	return r
}

func (g *gitHub) open(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	p, _, err := g.c.PullRequests.Create(ctx, g.owner, g.name, github.CreatePullRequest{Title: &d.Title, Head: d.Head, Base: d.Base, Body: &d.Body})
	if err != nil {
		return sources.PullRequest{}, err
	}
	return g.pull(p), nil
}

func (g *gitHub) edit(ctx context.Context, number int, d sources.Draft) (sources.PullRequest, error) {
	p, _, err := g.c.PullRequests.Edit(ctx, g.owner, g.name, number, &github.PullRequest{Title: &d.Title, Body: &d.Body})
	if err != nil {
		return sources.PullRequest{}, err
	}
	return g.pull(p), nil
}

func (g *gitHub) reviews(ctx context.Context, number int) ([]review, error) {
	opts := &github.ListOptions{PerPage: pageSize}
	var out []review
	for range maxPages {
		page, resp, err := g.c.PullRequests.ListReviews(ctx, g.owner, g.name, number, opts)
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			v := review{Review: sources.Review{
				ID: strconv.FormatInt(r.GetID(), 10), Login: r.GetUser().GetLogin(), Commit: r.GetCommitID(), At: r.GetSubmittedAt().Time, Body: r.GetBody(),
			}}
			switch r.GetState() {
			case "APPROVED":
				v.Verdict = sources.Approves
			case "CHANGES_REQUESTED":
				v.Verdict = sources.RequestsChanges
			case "DISMISSED":
				v.void = true
			}
			out = append(out, v)
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			return out, nil
		}
	}
	return nil, errManyReviews
}

func (g *gitHub) status(ctx context.Context, s sources.CommitStatus) error {
	state := stateWord(s.State, "pending", "success", "failure")
	status := github.RepoStatus{State: &state, Description: &s.Text, Context: &s.Context}
	if s.URL != "" {
		status.TargetURL = &s.URL
	}
	_, _, err := g.c.Repositories.CreateStatus(ctx, g.owner, g.name, s.Commit, status)
	if statusOf(err) == http.StatusUnprocessableEntity && strings.Contains(err.Error(), "maximum number of statuses") {
		return fmt.Errorf("%w: %w", sources.ErrFull, err)
	}
	return err
}

// stateWord is a host's word for a state.
func stateWord[T ~string](s sources.StatusState, pending, success, failure T) T {
	switch s {
	case sources.StatusSuccess:
		return success
	case sources.StatusFailure:
		return failure
	}
	return pending
}

func (g *gitHub) comments(ctx context.Context, number int) ([]comment, error) {
	opts := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
	var out []comment
	for range maxPages {
		page, resp, err := g.c.Issues.ListComments(ctx, g.owner, g.name, number, opts)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			out = append(out, comment{id: strconv.FormatInt(c.GetID(), 10), text: c.GetBody(), changed: c.GetUpdatedAt().Time})
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return out, nil
}

func (g *gitHub) comment(ctx context.Context, number int, id, text string) (comment, error) {
	var c *github.IssueComment
	var err error
	if id == "" {
		c, _, err = g.c.Issues.CreateComment(ctx, g.owner, g.name, number, github.IssueCommentRequest{Body: text})
	} else {
		var n int64
		if n, err = strconv.ParseInt(id, 10, 64); err == nil {
			c, _, err = g.c.Issues.UpdateComment(ctx, g.owner, g.name, n, github.IssueCommentRequest{Body: text})
		}
	}
	if err != nil {
		return comment{}, err
	}
	return comment{id: strconv.FormatInt(c.GetID(), 10), text: c.GetBody(), changed: c.GetUpdatedAt().Time}, nil
}

func (g *gitHub) facts(ctx context.Context, branch string) (sources.HostFacts, error) {
	repo, _, err := g.c.Repositories.Get(ctx, g.owner, g.name)
	if err != nil {
		return sources.HostFacts{}, err
	}
	f := sources.HostFacts{Repository: repo.GetFullName()}
	if p := repo.GetPermissions(); p != nil {
		f.WriteKnown, f.Write = p.Push != nil, p.GetPush()
	}
	b, _, err := g.c.Repositories.GetBranch(ctx, g.owner, g.name, branch, 0)
	switch {
	case err == nil:
		f.ProtectedKnown, f.Protected = true, b.GetProtected()
	case statusOf(err) != http.StatusNotFound:
		return f, err
	}
	return f, nil
}
