package host

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mooring.dev/sources"
)

// bitbucketCloud speaks the REST API (2.0) of bitbucket.org. People are known
// by their account id: nicknames are changed at will.
type bitbucketCloud struct {
	rest
	repository string // path of it
	home       string // for people

	mu   sync.Mutex
	full map[string]string // commits by what pull requests call them
}

func newBitbucketCloud(at place) driver {
	base := at.endpoint
	if base == "" {
		base = "https://api.bitbucket.org"
	}
	return &bitbucketCloud{
		rest: rest{client: at.client, base: base}, repository: "/2.0/repositories/" + url.PathEscape(at.owner) + "/" + url.PathEscape(at.name),
		home: "https://bitbucket.org/" + at.owner + "/" + at.name, full: map[string]string{},
	}
}

type cloudUser struct {
	AccountID string `json:"account_id"`
	UUID      string `json:"uuid"`
}

func (u cloudUser) login() string {
	if u.AccountID != "" {
		return u.AccountID
	}
	return u.UUID
}

type cloudEnd struct {
	Branch struct {
		Name string `json:"name"`
	} `json:"branch"`
	Commit struct {
		Hash string `json:"hash"`
	} `json:"commit"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
}

type cloudPull struct {
	ID          int         `json:"id"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	State       string      `json:"state"`
	Author      cloudUser   `json:"author"`
	Reviewers   []cloudUser `json:"reviewers"`
	Source      cloudEnd    `json:"source"`
	Destination cloudEnd    `json:"destination"`
	Links       struct {
		HTML struct {
			Href string `json:"href"`
		} `json:"html"`
	} `json:"links"`
	Participants []struct {
		User     cloudUser `json:"user"`
		Approved bool      `json:"approved"`
		State    string    `json:"state"`
	} `json:"participants"`
}

// cloudPages reads every page of a list, up to the one in which each says that
// it was enough. The address of the next page is not
// taken from the answer: it could lead elsewhere.
func cloudPages[T any](ctx context.Context, b *bitbucketCloud, path string, query url.Values, each func(T) (enough bool)) error {
	query.Set("pagelen", strconv.Itoa(pageSize))
	for page := 1; page <= maxPages; page++ {
		query.Set("page", strconv.Itoa(page))
		var body struct {
			Values []T    `json:"values"`
			Next   string `json:"next"`
		}
		if err := b.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &body); err != nil {
			return err
		}
		enough := body.Next == ""
		for _, v := range body.Values {
			enough = each(v) || enough
		}
		if enough {
			break
		}
	}
	return nil
}

func (b *bitbucketCloud) pulls(ctx context.Context, head, base string, last bool) ([]sources.PullRequest, error) {
	query := url.Values{"state": {"OPEN"}, "sort": {"-created_on"}}
	if last {
		query["state"] = []string{"OPEN", "MERGED", "DECLINED", "SUPERSEDED"}
	}
	q := "destination.branch.name=" + strconv.Quote(base)
	if head != "" {
		q += " AND source.branch.name=" + strconv.Quote(head)
	}
	query.Set("q", q)
	var all []cloudPull
	newest := 0
	err := cloudPages(ctx, b, b.repository+"/pullrequests", query, func(p cloudPull) bool {
		all = append(all, p)
		if !p.foreign() {
			newest = max(newest, p.ID)
		}
		return last && newest > 0
	})
	if err != nil {
		return nil, err
	}
	var out []sources.PullRequest
	for _, p := range all {
		r, err := b.pull(ctx, p, p.ID == newest)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (p cloudPull) foreign() bool {
	return p.Source.Repository.FullName != p.Destination.Repository.FullName
}

// pull tells of open requests what they bring, and of one that has ended where
// that is asked for: each costs a request.
func (b *bitbucketCloud) pull(ctx context.Context, p cloudPull, ended bool) (sources.PullRequest, error) {
	r := sources.PullRequest{
		Number: p.ID, Head: p.Source.Branch.Name, Base: p.Destination.Branch.Name, Title: p.Title, Body: p.Description, Author: p.Author.login(), URL: p.Links.HTML.Href,
		Foreign: p.foreign(),
	}
	switch p.State {
	case "OPEN":
		r.State = sources.RequestOpen
	case "MERGED":
		r.State = sources.RequestMerged
	}
	open := r.State == sources.RequestOpen
	if r.Foreign || !open && !ended {
		return r, nil
	}
	var err error
	r.Commit, err = b.whole(ctx, p.Source.Commit.Hash)
	if !open && statusOf(err) == http.StatusNotFound {
		return r, nil // its branch is gone, and what it brought
	}
	return r, err
}

// whole is the full name of a commit: pull requests tell its beginning only.
func (b *bitbucketCloud) whole(ctx context.Context, hash string) (string, error) {
	if len(hash) >= 40 || hash == "" {
		return hash, nil
	}
	b.mu.Lock()
	known := b.full[hash]
	b.mu.Unlock()
	if known != "" {
		return known, nil
	}
	var body struct {
		Hash string `json:"hash"`
	}
	if err := b.do(ctx, http.MethodGet, b.repository+"/commit/"+url.PathEscape(hash), nil, &body); err != nil {
		return "", err
	}
	if !strings.HasPrefix(body.Hash, hash) {
		return "", fmt.Errorf("commit %s: the host answered with another", hash)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.full) >= maxSaid {
		clear(b.full)
	}
	b.full[hash] = body.Hash
	return body.Hash, nil
}

func (b *bitbucketCloud) open(ctx context.Context, d sources.Draft) (sources.PullRequest, error) {
	branch := func(name string) map[string]any { return map[string]any{"branch": map[string]string{"name": name}} }
	var p cloudPull
	err := b.do(ctx, http.MethodPost, b.repository+"/pullrequests", map[string]any{
		"title": d.Title, "description": d.Body, "source": branch(d.Head), "destination": branch(d.Base),
	}, &p)
	if err != nil {
		return sources.PullRequest{}, err
	}
	return b.pull(ctx, p, false)
}

func (b *bitbucketCloud) one(number int) string {
	return b.repository + "/pullrequests/" + strconv.Itoa(number)
}

// edit names the reviewers there are: those left out would be taken off. One
// who may review no more makes the host refuse all of it; then none is kept.
func (b *bitbucketCloud) edit(ctx context.Context, number int, d sources.Draft) (sources.PullRequest, error) {
	var p cloudPull
	if err := b.do(ctx, http.MethodGet, b.one(number), nil, &p); err != nil {
		return sources.PullRequest{}, err
	}
	reviewers := make([]map[string]string, 0, len(p.Reviewers))
	for _, u := range p.Reviewers {
		reviewers = append(reviewers, map[string]string{"uuid": u.UUID})
	}
	body := map[string]any{"title": d.Title, "description": d.Body, "reviewers": reviewers}
	err := b.do(ctx, http.MethodPut, b.one(number), body, &p)
	if statusOf(err) == http.StatusBadRequest && len(reviewers) > 0 {
		delete(body, "reviewers")
		err = b.do(ctx, http.MethodPut, b.one(number), body, &p)
	}
	if err != nil {
		return sources.PullRequest{}, err
	}
	return b.pull(ctx, p, false)
}

// cloudActivity is one entry of what happened; one member is set.
type cloudActivity struct {
	Update *struct {
		Date   time.Time `json:"date"`
		Source cloudEnd  `json:"source"`
	} `json:"update"`
	Approval         *cloudWord `json:"approval"`
	ChangesRequested *cloudWord `json:"changes_requested"`
}

type cloudWord struct {
	Date time.Time `json:"date"`
	User cloudUser `json:"user"`
}

// reviews are the words that stand, by the request's participants, with when
// they were given and on which commit, by what happened.
func (b *bitbucketCloud) reviews(ctx context.Context, number int) ([]review, error) {
	var p cloudPull
	if err := b.do(ctx, http.MethodGet, b.one(number), nil, &p); err != nil {
		return nil, err
	}
	stands := map[string]sources.Verdict{}
	for _, who := range p.Participants {
		switch {
		case who.State == "changes_requested":
			stands[who.User.login()] = sources.RequestsChanges
		case who.Approved:
			stands[who.User.login()] = sources.Approves
		}
	}
	if len(stands) == 0 {
		return nil, nil
	}
	var versions []version
	var words []review
	word := func(w *cloudWord, v sources.Verdict) {
		if w != nil && stands[w.User.login()] == v {
			words = append(words, review{Review: sources.Review{Login: w.User.login(), Verdict: v, At: w.Date, ID: string(v) + "@" + w.Date.UTC().Format(time.RFC3339Nano)}})
		}
	}
	err := cloudPages(ctx, b, b.one(number)+"/activity", url.Values{}, func(a cloudActivity) bool {
		if a.Update != nil && a.Update.Source.Commit.Hash != "" {
			versions = append(versions, version{since: a.Update.Date, commit: a.Update.Source.Commit.Hash})
		}
		word(a.Approval, sources.Approves)
		word(a.ChangesRequested, sources.RequestsChanges)
		return false
	})
	if err != nil {
		return nil, err
	}
	for i := range words {
		if words[i].Commit, err = b.whole(ctx, newestAt(slices.Clone(versions), words[i].At)); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func (b *bitbucketCloud) status(ctx context.Context, s sources.CommitStatus) error {
	link := s.URL
	if link == "" {
		link = b.home + "/commits/" + s.Commit // one is needed
	}
	return b.do(ctx, http.MethodPost, b.repository+"/commit/"+url.PathEscape(s.Commit)+"/statuses/build", map[string]string{
		"key": statusKey(s.Context), "name": s.Context, "state": stateWord(s.State, "INPROGRESS", "SUCCESSFUL", "FAILED"), "description": s.Text, "url": link,
	}, nil)
}

// statusKey fits a context into the 40 characters of a key.
func statusKey(context string) string {
	if len(context) <= 40 {
		return context
	}
	return context[:31] + "-" + shortHash(context)
}

type cloudComment struct {
	ID      int64 `json:"id"`
	Content struct {
		Raw string `json:"raw"`
	} `json:"content"`
	Created time.Time `json:"created_on"`
	Updated time.Time `json:"updated_on"`
	Deleted bool      `json:"deleted"`
}

func (c cloudComment) comment() comment {
	changed := c.Updated
	if changed.IsZero() {
		changed = c.Created
	}
	return comment{id: strconv.FormatInt(c.ID, 10), text: c.Content.Raw, changed: changed}
}

func (b *bitbucketCloud) comments(ctx context.Context, number int) ([]comment, error) {
	var out []comment
	err := cloudPages(ctx, b, b.one(number)+"/comments", url.Values{}, func(c cloudComment) bool {
		if !c.Deleted {
			out = append(out, c.comment())
		}
		return false
	})
	return out, err
}

func (b *bitbucketCloud) comment(ctx context.Context, number int, id, text string) (comment, error) {
	method, path := http.MethodPost, b.one(number)+"/comments"
	if id != "" {
		method, path = http.MethodPut, path+"/"+id
	}
	var c cloudComment
	if err := b.do(ctx, method, path, map[string]any{"content": map[string]string{"raw": text}}, &c); err != nil {
		return comment{}, err
	}
	return c.comment(), nil
}

// facts: what a token may do is not told, and branch restrictions only to
// administrators.
func (b *bitbucketCloud) facts(ctx context.Context, branch string) (sources.HostFacts, error) {
	var repo struct {
		FullName string `json:"full_name"`
	}
	if err := b.do(ctx, http.MethodGet, b.repository, nil, &repo); err != nil {
		return sources.HostFacts{}, err
	}
	f := sources.HostFacts{Repository: repo.FullName}
	var kept struct {
		Values []struct {
			Kind string `json:"kind"`
		} `json:"values"`
	}
	err := b.do(ctx, http.MethodGet, b.repository+"/branch-restrictions?"+url.Values{"pattern": {branch}}.Encode(), nil, &kept)
	switch status := statusOf(err); {
	case err == nil:
		f.ProtectedKnown = true
		for _, v := range kept.Values {
			f.Protected = f.Protected || v.Kind == "push"
		}
	case status != http.StatusForbidden && status != http.StatusNotFound:
		return f, err
	}
	return f, nil
}
