package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mooring.dev/sources"
)

// bitbucketServer speaks the REST API of Bitbucket Data Center.
type bitbucketServer struct {
	rest
	repository string // path below an API
	home       string
}

func newBitbucketServer(at place) (driver, error) {
	if at.endpoint == "" {
		return nil, errors.New("bitbucket data center: an endpoint is needed, as https://bitbucket.example.com")
	}
	repository := "/projects/" + url.PathEscape(at.owner) + "/repos/" + url.PathEscape(at.name)
	return &bitbucketServer{rest: rest{client: at.client, base: at.endpoint}, repository: repository, home: at.endpoint + repository}, nil
}

const serverAPI = "/rest/api/1.0"

type serverUser struct {
	Name string `json:"name"`
}

type serverRef struct {
	ID           string `json:"id"`
	DisplayID    string `json:"displayId"`
	LatestCommit string `json:"latestCommit"`
	Repository   struct {
		Slug    string `json:"slug"`
		Project struct {
			Key string `json:"key"`
		} `json:"project"`
	} `json:"repository"`
}

type serverParticipant struct {
	User               serverUser `json:"user"`
	Status             string     `json:"status"`
	LastReviewedCommit string     `json:"lastReviewedCommit"`
}

type serverPull struct {
	ID           int                 `json:"id"`
	Version      int                 `json:"version"`
	Title        string              `json:"title"`
	Description  string              `json:"description"`
	State        string              `json:"state"`
	FromRef      serverRef           `json:"fromRef"`
	ToRef        serverRef           `json:"toRef"`
	Author       serverParticipant   `json:"author"`
	Reviewers    []serverParticipant `json:"reviewers"`
	Participants []serverParticipant `json:"participants"`
	Links        struct {
		Self []struct {
			Href string `json:"href"`
		} `json:"self"`
	} `json:"links"`
}

// serverPages reads every page of a list, up to the one in which each says that
// it was enough.
func serverPages[T any](ctx context.Context, b *bitbucketServer, path string, query url.Values, each func(T) (enough bool)) error {
	query.Set("limit", strconv.Itoa(pageSize))
	start := 0
	for range maxPages {
		query.Set("start", strconv.Itoa(start))
		var body struct {
			Values []T  `json:"values"`
			Last   bool `json:"isLastPage"`
			Next   int  `json:"nextPageStart"`
		}
		if err := b.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &body); err != nil {
			return err
		}
		enough := body.Last || body.Next <= start
		for _, v := range body.Values {
			enough = each(v) || enough
		}
		if enough {
			break
		}
		start = body.Next
	}
	return nil
}

func (b *bitbucketServer) pulls(ctx context.Context, head, base string, last bool) ([]sources.PullRequest, error) {
	query := url.Values{"at": {"refs/heads/" + base}, "direction": {"INCOMING"}, "state": {"OPEN"}, "order": {"NEWEST"}}
	if last {
		query.Set("state", "ALL")
	}
	var out []sources.PullRequest
	err := serverPages(ctx, b, serverAPI+b.repository+"/pull-requests", query, func(p serverPull) bool {
		if r := serverRequest(p); r.Base == base && (head == "" || r.Head == head) {
			out = append(out, r)
		}
		return last && found(out)
	})
	return out, err
}

func serverRequest(p serverPull) sources.PullRequest {
	from, to := p.FromRef.Repository, p.ToRef.Repository
	r := sources.PullRequest{
		Number: p.ID, Head: strings.TrimPrefix(p.FromRef.ID, "refs/heads/"), Base: strings.TrimPrefix(p.ToRef.ID, "refs/heads/"), Commit: p.FromRef.LatestCommit,
		Title: p.Title, Body: p.Description, Author: p.Author.User.Name, Foreign: from.Slug != to.Slug || from.Project.Key != to.Project.Key,
	}
	if len(p.Links.Self) > 0 {
		r.URL = p.Links.Self[0].Href
	}
	switch p.State {
	case "OPEN":
		r.State = sources.RequestOpen
	case "MERGED":
		r.State = sources.RequestMerged
	}
	return r
}

func (b *bitbucketServer) open(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	ref := func(branch string) map[string]string { return map[string]string{"id": "refs/heads/" + branch} }
	var p serverPull
	err := b.do(ctx, http.MethodPost, serverAPI+b.repository+"/pull-requests", map[string]any{
		"title": d.Title, "description": d.Body, "fromRef": ref(d.Head), "toRef": ref(d.Base),
	}, &p)
	return serverRequest(p), err
}

func (b *bitbucketServer) one(number int) string {
	return serverAPI + b.repository + "/pull-requests/" + strconv.Itoa(number)
}

// edit reads the request first: what is written names the version it was
// thought to have, and reviewers left out would be taken off. One who may review
// no more makes the host refuse all of it; then none is kept.
func (b *bitbucketServer) edit(ctx context.Context, number int, d sources.Draft) (sources.PullRequest, error) {
	var p serverPull
	if err := b.do(ctx, http.MethodGet, b.one(number), nil, &p); err != nil {
		return sources.PullRequest{}, err
	}
	reviewers := make([]map[string]serverUser, 0, len(p.Reviewers))
	for _, r := range p.Reviewers {
		reviewers = append(reviewers, map[string]serverUser{"user": r.User})
	}
	body := map[string]any{"version": p.Version, "title": d.Title, "description": d.Body, "reviewers": reviewers}
	err := b.do(ctx, http.MethodPut, b.one(number), body, &p)
	if statusOf(err) == http.StatusConflict && len(reviewers) > 0 { // of another version it is refused again
		delete(body, "reviewers")
		err = b.do(ctx, http.MethodPut, b.one(number), body, &p)
	}
	return serverRequest(p), err
}

type serverActivity struct {
	ID      int64      `json:"id"`
	Action  string     `json:"action"`
	Created int64      `json:"createdDate"` // milliseconds
	User    serverUser `json:"user"`
	Comment *struct {
		ID      int64  `json:"id"`
		Version int    `json:"version"`
		Text    string `json:"text"`
		Updated int64  `json:"updatedDate"`
	} `json:"comment"`
	// CommentAction is ADDED for a comment of its own.
	CommentAction string `json:"commentAction"`
}

// reviews are the words that stand, by who takes part, with when they were
// given, by what happened.
func (b *bitbucketServer) reviews(ctx context.Context, number int) ([]review, error) {
	var p serverPull
	if err := b.do(ctx, http.MethodGet, b.one(number), nil, &p); err != nil {
		return nil, err
	}
	given := map[string]serverActivity{} // the newest comes first
	err := serverPages(ctx, b, b.one(number)+"/activities", url.Values{}, func(a serverActivity) bool {
		key := a.User.Name + "|" + a.Action
		if _, ok := given[key]; !ok {
			given[key] = a
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	var out []review
	for _, who := range append(p.Reviewers, p.Participants...) {
		r := sources.Review{Login: who.User.Name, Commit: who.LastReviewedCommit}
		action := ""
		switch who.Status {
		case "APPROVED":
			r.Verdict, action = sources.Approves, "APPROVED"
		case "NEEDS_WORK":
			r.Verdict, action = sources.RequestsChanges, "REVIEWED"
		default:
			continue
		}
		a := given[who.User.Name+"|"+action]
		r.ID, r.At = strconv.FormatInt(a.ID, 10), time.UnixMilli(a.Created)
		out = append(out, review{Review: r})
	}
	return out, nil
}

func (b *bitbucketServer) status(ctx context.Context, s sources.CommitStatus) error {
	link := s.URL
	if link == "" {
		link = b.home + "/commits/" + s.Commit // one is needed
	}
	return b.do(ctx, http.MethodPost, serverAPI+b.repository+"/commits/"+url.PathEscape(s.Commit)+"/builds", map[string]string{
		"key": s.Context, "name": s.Context, "state": stateWord(s.State, "INPROGRESS", "SUCCESSFUL", "FAILED"), "description": s.Text, "url": link,
	}, nil)
}

// comments are told with everything that happens; there is no list of them.
// The id carries the version a change has to name.
func (b *bitbucketServer) comments(ctx context.Context, number int) ([]comment, error) {
	var out []comment
	err := serverPages(ctx, b, b.one(number)+"/activities", url.Values{}, func(a serverActivity) bool {
		if a.Action == "COMMENTED" && a.CommentAction == "ADDED" && a.Comment != nil {
			out = append(out, comment{id: serverCommentID(a.Comment.ID, a.Comment.Version), text: a.Comment.Text, changed: time.UnixMilli(a.Comment.Updated)})
		}
		return false
	})
	return out, err
}

func serverCommentID(id int64, version int) string {
	return strconv.FormatInt(id, 10) + "/" + strconv.Itoa(version)
}

func (b *bitbucketServer) comment(ctx context.Context, number int, id, text string) (comment, error) {
	method, path, body := http.MethodPost, b.one(number)+"/comments", map[string]any{"text": text}
	if id != "" {
		which, at, _ := strings.Cut(id, "/")
		version, err := strconv.Atoi(at)
		if err != nil {
			return comment{}, err
		}
		method, path, body["version"] = http.MethodPut, path+"/"+which, version
	}
	var c struct {
		ID      int64  `json:"id"`
		Version int    `json:"version"`
		Text    string `json:"text"`
		Updated int64  `json:"updatedDate"`
	}
	if err := b.do(ctx, method, path, body, &c); err != nil {
		return comment{}, err
	}
	return comment{id: serverCommentID(c.ID, c.Version), text: c.Text, changed: time.UnixMilli(c.Updated)}, nil
}

func (b *bitbucketServer) facts(ctx context.Context, branch string) (sources.HostFacts, error) {
	var repo struct {
		Slug    string `json:"slug"`
		Project struct {
			Key string `json:"key"`
		} `json:"project"`
	}
	if err := b.do(ctx, http.MethodGet, serverAPI+b.repository, nil, &repo); err != nil {
		return sources.HostFacts{}, err
	}
	f := sources.HostFacts{Repository: repo.Project.Key + "/" + repo.Slug}
	var kept struct {
		Size int `json:"size"`
	}
	query := url.Values{"matcherId": {"refs/heads/" + branch}, "matcherType": {"BRANCH"}}
	err := b.do(ctx, http.MethodGet, "/rest/branch-permissions/2.0"+b.repository+"/restrictions?"+query.Encode(), nil, &kept)
	switch status := statusOf(err); {
	case err == nil:
		f.ProtectedKnown, f.Protected = true, kept.Size > 0
	case status != http.StatusForbidden && status != http.StatusNotFound && status != http.StatusUnauthorized:
		return f, err
	}
	return f, nil
}

func shortHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}
