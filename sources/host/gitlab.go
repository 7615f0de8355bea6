package host

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"mooring.dev/sources"
)

// gitLab speaks GitLab's REST API (v4).
type gitLab struct {
	c       *gitlab.Client
	project string
}

func newGitLab(at place) (driver, error) {
	// Its client would try again by itself: that is done in one place, above.
	opts := []gitlab.ClientOptionFunc{gitlab.WithHTTPClient(at.client), gitlab.WithoutRetries(), gitlab.WithCustomLimiter(unlimited{})}
	if at.endpoint != "" {
		opts = append(opts, gitlab.WithBaseURL(at.endpoint))
	}
	c, err := gitlab.NewClient("", opts...)
	if err != nil {
		return nil, err
	}
	return &gitLab{c: c, project: at.owner + "/" + at.name}, nil
}

// unlimited takes the client's own pacing out, which asks the server for its
// rate first.
type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }

func (g *gitLab) pulls(ctx context.Context, head, base string, last bool) ([]sources.PullRequest, error) {
	opts := &gitlab.ListProjectMergeRequestsOptions{TargetBranch: &base, ListOptions: gitlab.ListOptions{PerPage: pageSize, Page: 1}}
	if !last {
		opts.State = new("opened")
	}
	if head != "" {
		opts.SourceBranch = &head
	}
	var out []sources.PullRequest
	for range maxPages {
		page, resp, err := g.c.MergeRequests.ListProjectMergeRequests(g.project, opts, gitlab.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			out = append(out, mergeRequest(m))
		}
		if opts.Page = resp.NextPage; opts.Page == 0 || last && found(out) {
			break
		}
	}
	return out, nil
}

func mergeRequest(m *gitlab.BasicMergeRequest) sources.PullRequest {
	r := sources.PullRequest{
		Number: int(m.IID), Head: m.SourceBranch, Base: m.TargetBranch, Commit: m.SHA, Title: m.Title, Body: m.Description, URL: m.WebURL,
		Foreign: m.SourceProjectID != m.TargetProjectID,
	}
	if m.Author != nil {
		r.Author = m.Author.Username
	}
	switch m.State {
	case "opened", "locked": // locked: it is being merged
		r.State = sources.RequestOpen
	case "merged":
		r.State = sources.RequestMerged
	}
	return r
}

func (g *gitLab) open(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	m, _, err := g.c.MergeRequests.CreateMergeRequest(g.project, &gitlab.CreateMergeRequestOptions{
		Title: &d.Title, Description: &d.Body, SourceBranch: &d.Head, TargetBranch: &d.Base,
	}, gitlab.WithContext(ctx))
	if err != nil {
		return sources.PullRequest{}, err
	}
	return mergeRequest(&m.BasicMergeRequest), nil
}

func (g *gitLab) edit(ctx context.Context, number int, d sources.Draft) (sources.PullRequest, error) {
	m, _, err := g.c.MergeRequests.UpdateMergeRequest(g.project, int64(number), &gitlab.UpdateMergeRequestOptions{Title: &d.Title, Description: &d.Body}, gitlab.WithContext(ctx))
	if err != nil {
		return sources.PullRequest{}, err
	}
	return mergeRequest(&m.BasicMergeRequest), nil
}

// reviews are the approvals there are, and who wants changes. GitLab does not say
// which commit was approved, but when: it is the one that was the newest then, by
// its own clock. Who wants changes does until they say otherwise, also of what
// was pushed since.
func (g *gitLab) reviews(ctx context.Context, number int) ([]review, error) {
	a, _, err := g.c.MergeRequests.GetMergeRequestApprovals(g.project, int64(number), gitlab.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	against, err := g.against(ctx, number)
	if err != nil || len(a.ApprovedBy)+len(against) == 0 {
		return nil, err
	}
	versions, err := g.versions(ctx, number)
	if err != nil {
		return nil, err
	}
	var out []review
	if newest := slices.MaxFunc(append(versions, version{}), func(a, b version) int { return a.since.Compare(b.since) }); newest.commit != "" {
		for _, login := range against {
			out = append(out, review{Review: sources.Review{ID: login + "!" + newest.commit, Login: login, Verdict: sources.RequestsChanges, Commit: newest.commit, At: newest.since}})
		}
	}
	for _, by := range a.ApprovedBy {
		if by.User == nil || slices.Contains(against, by.User.Username) {
			continue
		}
		r := sources.Review{Login: by.User.Username, Verdict: sources.Approves}
		if by.ApprovedAt != nil {
			r.At, r.Commit = *by.ApprovedAt, newestAt(versions, *by.ApprovedAt)
		}
		r.ID = r.Login + "@" + r.At.UTC().Format(time.RFC3339Nano)
		out = append(out, review{Review: r})
	}
	return out, nil
}

// against are the reviewers who want changes. A server from before it told that
// has none.
func (g *gitLab) against(ctx context.Context, number int) (logins []string, err error) {
	all, _, err := g.c.MergeRequests.GetMergeRequestReviewers(g.project, int64(number), gitlab.WithContext(ctx))
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	for _, r := range all {
		if r.State == "requested_changes" && r.User != nil {
			logins = append(logins, r.User.Username)
		}
	}
	return logins, err
}

// version is which commit a request brought since when.
type version struct {
	since  time.Time
	commit string
}

// newestAt is the commit a request brought at a time. Of two in the same
// moment neither is taken.
func newestAt(versions []version, at time.Time) string {
	slices.SortFunc(versions, func(a, b version) int { return a.since.Compare(b.since) })
	commit := ""
	for _, v := range versions {
		if v.since.After(at) {
			break
		}
		commit = v.commit
		if v.since.Equal(at) && len(versions) > 1 {
			return ""
		}
	}
	return commit
}

func (g *gitLab) versions(ctx context.Context, number int) ([]version, error) {
	opts := &gitlab.GetMergeRequestDiffVersionsOptions{ListOptions: gitlab.ListOptions{PerPage: pageSize, Page: 1}}
	var out []version
	for range maxPages {
		page, resp, err := g.c.MergeRequests.GetMergeRequestDiffVersions(g.project, int64(number), opts, gitlab.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		for _, v := range page {
			if v.CreatedAt != nil {
				out = append(out, version{since: *v.CreatedAt, commit: v.HeadCommitSHA})
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return out, nil
}

func (g *gitLab) status(ctx context.Context, s sources.CommitStatus) error {
	opts := &gitlab.SetCommitStatusOptions{State: stateWord(s.State, gitlab.Pending, gitlab.Success, gitlab.Failed), Name: &s.Context, Description: &s.Text}
	if s.URL != "" {
		opts.TargetURL = &s.URL
	}
	_, _, err := g.c.Commits.SetCommitStatus(g.project, s.Commit, opts, gitlab.WithContext(ctx))
	if s.State == sources.StatusPending && waitsAlready(err) {
		return nil
	}
	return err
}

// waitsAlready: GitLab's statuses are jobs, and one that is pending cannot be made
// pending again, whatever else is said of it. It is what was asked for, with
// the words it had.
func waitsAlready(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status == http.StatusBadRequest && strings.Contains(refused.Text, "transition status via :enqueue from :")
}

func (g *gitLab) comments(ctx context.Context, number int) ([]comment, error) {
	opts := &gitlab.ListMergeRequestNotesOptions{Sort: new("asc"), ListOptions: gitlab.ListOptions{PerPage: pageSize, Page: 1}}
	var out []comment
	for range maxPages {
		page, resp, err := g.c.Notes.ListMergeRequestNotes(g.project, int64(number), opts, gitlab.WithContext(ctx))
		if err != nil {
			return nil, err
		}
		for _, n := range page {
			if !n.System {
				out = append(out, noteOf(n))
			}
		}
		if opts.Page = resp.NextPage; opts.Page == 0 {
			break
		}
	}
	return out, nil
}

func noteOf(n *gitlab.Note) comment {
	c := comment{id: strconv.FormatInt(n.ID, 10), text: n.Body}
	if n.UpdatedAt != nil {
		c.changed = *n.UpdatedAt
	}
	return c
}

func (g *gitLab) comment(ctx context.Context, number int, id, text string) (comment, error) {
	if id == "" {
		n, _, err := g.c.Notes.CreateMergeRequestNote(g.project, int64(number), &gitlab.CreateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
		if err != nil {
			return comment{}, err
		}
		return noteOf(n), nil
	}
	which, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return comment{}, err
	}
	n, _, err := g.c.Notes.UpdateMergeRequestNote(g.project, int64(number), which, &gitlab.UpdateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
	if err != nil {
		return comment{}, err
	}
	return noteOf(n), nil
}

func (g *gitLab) facts(ctx context.Context, branch string) (sources.HostFacts, error) {
	p, _, err := g.c.Projects.GetProject(g.project, nil, gitlab.WithContext(ctx))
	if err != nil {
		return sources.HostFacts{}, err
	}
	f := sources.HostFacts{Repository: p.PathWithNamespace}
	if p.Permissions != nil {
		f.WriteKnown = true
		f.Write = p.Permissions.ProjectAccess != nil && p.Permissions.ProjectAccess.AccessLevel >= gitlab.DeveloperPermissions ||
			p.Permissions.GroupAccess != nil && p.Permissions.GroupAccess.AccessLevel >= gitlab.DeveloperPermissions
	}
	b, _, err := g.c.Branches.GetBranch(g.project, branch, gitlab.WithContext(ctx))
	switch {
	case err == nil:
		f.ProtectedKnown, f.Protected = true, b.Protected
	case statusOf(err) != http.StatusNotFound:
		return f, err
	}
	return f, nil
}
