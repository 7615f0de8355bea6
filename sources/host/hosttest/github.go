package hosttest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
)

// GitHub serves r as a GitHub Enterprise Server does (below /api/v3).
func (r *Repository) GitHub() *httptest.Server {
	base := "/api/v3/repos/" + Owner + "/" + Name
	return r.serve(map[string]handler{
		"GET " + base: func(*http.Request, []byte) (int, any) {
			return 200, object{"full_name": Owner + "/" + Name, "permissions": object{"pull": true, "push": !r.ReadOnly}}
		},
		"GET " + base + "/branches/{branch...}": r.gitBranch,
		"GET " + base + "/pulls": func(q *http.Request, _ []byte) (int, any) {
			v := q.URL.Query()
			out := []object{}
			for _, p := range slices.Backward(r.pulls) {
				owner := Owner
				if p.Foreign {
					owner = "stranger"
				}
				if (v.Get("state") == "all" || p.State == "open") && (v.Get("base") == "" || v.Get("base") == p.Base) && (v.Get("head") == "" || v.Get("head") == owner+":"+p.Head) {
					out = append(out, r.gitPull(p))
				}
			}
			return 200, listed(out, q, "per_page")
		},
		"POST " + base + "/pulls":           r.gitOpen,
		"PATCH " + base + "/pulls/{number}": r.gitEdit,
		"GET " + base + "/pulls/{number}/reviews": func(q *http.Request, _ []byte) (int, any) {
			words := map[string]string{"approved": "APPROVED", "changes": "CHANGES_REQUESTED", "comment": "COMMENTED"}
			return r.gitReviews(q, words, func(o object, v *Review) {
				if v.Dismissed {
					o["state"] = "DISMISSED"
				}
			})
		},
		"POST " + base + "/statuses/{sha}":           r.gitHubStatus,
		"GET " + base + "/issues/{number}/comments":  r.gitComments,
		"POST " + base + "/issues/{number}/comments": r.gitComment,
		"PATCH " + base + "/issues/comments/{id}":    r.gitCommentEdit,
	}, bearer)
}

// Gitea serves r as Gitea and Forgejo do.
func (r *Repository) Gitea() *httptest.Server {
	base := "/api/v1/repos/" + Owner + "/" + Name
	return r.serve(map[string]handler{
		"GET " + base: func(*http.Request, []byte) (int, any) {
			return 200, object{"full_name": Owner + "/" + Name, "permissions": object{"pull": true, "push": !r.ReadOnly}}
		},
		"GET " + base + "/branches/{branch...}": r.gitBranch,
		"GET " + base + "/pulls": func(q *http.Request, _ []byte) (int, any) {
			out := []object{}
			for _, p := range slices.Backward(r.pulls) {
				if q.URL.Query().Get("state") == "all" || p.State == "open" {
					out = append(out, r.gitPull(p))
				}
			}
			return 200, listed(out, q, "limit")
		},
		"POST " + base + "/pulls":           r.gitOpen,
		"PATCH " + base + "/pulls/{number}": r.gitEdit,
		"GET " + base + "/pulls/{number}/reviews": func(q *http.Request, _ []byte) (int, any) {
			words := map[string]string{"approved": "APPROVED", "changes": "REQUEST_CHANGES", "comment": "COMMENT"}
			return r.gitReviews(q, words, func(o object, v *Review) { o["dismissed"] = v.Dismissed })
		},
		"POST " + base + "/statuses/{sha}":           r.gitStatus,
		"GET " + base + "/issues/{number}/comments":  r.gitComments,
		"POST " + base + "/issues/{number}/comments": r.gitComment,
		"PATCH " + base + "/issues/comments/{id}":    r.gitCommentEdit,
	}, func(q *http.Request) bool { return q.Header.Get("Authorization") == "token "+Token })
}

func (r *Repository) gitBranch(q *http.Request, _ []byte) (int, any) {
	branch := q.PathValue("branch")
	if r.Head(branch) == "" {
		return unknown()
	}
	return 200, object{"name": branch, "protected": r.protected[branch], "commit": object{"sha": r.Head(branch), "id": r.Head(branch)}}
}

func (r *Repository) gitPull(p *Pull) object {
	end := func(ref, sha string, foreign bool) object {
		id := 1
		if foreign {
			id = 2
		}
		return object{"ref": ref, "sha": sha, "repo_id": id, "repo": object{"full_name": fullName(foreign), "id": id}}
	}
	out := object{
		"number": p.Number, "title": p.Title, "body": p.Body, "state": "open", "user": object{"login": p.Author}, "html_url": "https://host.test/pulls/" + strconv.Itoa(p.Number),
		"head": end(p.Head, r.commit(p), p.Foreign), "base": end(p.Base, r.Head(p.Base), false), "merged": p.State == "merged", "merged_at": nil,
	}
	if p.State != "open" {
		out["state"] = "closed"
	}
	if p.State == "merged" {
		out["merged_at"] = stamp(r.clock)
	}
	return out
}

func (r *Repository) gitOpen(_ *http.Request, body []byte) (int, any) {
	b := read(body)
	head, base := str(b["head"]), str(b["base"])
	switch {
	case r.dup(head, base):
		return http.StatusUnprocessableEntity, object{"message": "Validation Failed", "errors": []object{{"message": "A pull request already exists for " + Owner + ":" + head + "."}}}
	case r.Head(head) == "" || r.Head(base) == "":
		return http.StatusUnprocessableEntity, object{"message": "Validation Failed", "errors": []object{{"field": "head", "code": "invalid"}}}
	}
	return http.StatusCreated, r.gitPull(r.open(Pull{Title: str(b["title"]), Body: str(b["body"]), Head: head, Base: base, Author: "mooring"}))
}

func (r *Repository) gitEdit(q *http.Request, body []byte) (int, any) {
	p, b := r.pull(number(q)), read(body)
	if p == nil {
		return unknown()
	}
	if t := str(b["title"]); t != "" {
		p.Title = t
	}
	if t, ok := b["body"].(string); ok {
		p.Body = t
	}
	p.edits++
	return 200, r.gitPull(p)
}

func (r *Repository) gitReviews(q *http.Request, words map[string]string, more func(object, *Review)) (int, any) {
	p := r.pull(number(q))
	if p == nil {
		return unknown()
	}
	out := []object{}
	for _, v := range p.Reviews {
		o := object{"id": v.ID, "user": object{"login": v.By}, "state": words[v.Word], "commit_id": v.Commit, "submitted_at": stamp(v.At), "body": ""}
		more(o, v)
		out = append(out, o)
	}
	size := "per_page"
	if strings.HasPrefix(q.URL.Path, "/api/v1") {
		size = "limit"
	}
	return 200, listed(out, q, size)
}

func (r *Repository) gitStatus(q *http.Request, body []byte) (int, any) {
	b := read(body)
	s := Status{q.PathValue("sha"), str(b["context"]), str(b["state"]), str(b["description"]), str(b["target_url"]), ""}
	r.statuses = append(r.statuses, s)
	return http.StatusCreated, object{"id": r.id(), "state": s.State, "context": s.Context}
}

// maxStatuses is how many statuses GitHub takes of a commit in one context.
const maxStatuses = 1000

func (r *Repository) gitHubStatus(q *http.Request, body []byte) (int, any) {
	context, n := str(read(body)["context"]), 0
	for _, s := range r.statuses {
		if s.Commit == q.PathValue("sha") && s.Context == context {
			n++
		}
	}
	if n >= maxStatuses {
		return http.StatusUnprocessableEntity, object{"message": "Validation Failed", "errors": []object{
			{"resource": "Status", "code": "custom", "message": "This SHA and context has reached the maximum number of statuses."}}}
	}
	return r.gitStatus(q, body)
}

func gitCommentOf(c *Comment) object {
	return object{"id": c.ID, "body": c.Text, "user": object{"login": c.By}, "created_at": stamp(c.Changed), "updated_at": stamp(c.Changed)}
}

func (r *Repository) gitComments(q *http.Request, _ []byte) (int, any) {
	p := r.pull(number(q))
	if p == nil {
		return unknown()
	}
	out := []object{}
	for _, c := range p.Comments {
		out = append(out, gitCommentOf(c))
	}
	if strings.HasPrefix(q.URL.Path, "/api/v1") {
		return 200, out // Gitea has no pages here
	}
	return 200, listed(out, q, "per_page")
}

func (r *Repository) gitComment(q *http.Request, body []byte) (int, any) {
	p := r.pull(number(q))
	if p == nil {
		return unknown()
	}
	return http.StatusCreated, gitCommentOf(r.writeComment(p, 0, str(read(body)["body"])))
}

func (r *Repository) gitCommentEdit(q *http.Request, body []byte) (int, any) {
	id, _ := strconv.ParseInt(q.PathValue("id"), 10, 64)
	for _, p := range r.pulls {
		for _, c := range p.Comments {
			if c.ID == id && !p.ours(id) {
				return notYours()
			}
			if c.ID == id {
				return 200, gitCommentOf(r.writeComment(p, id, str(read(body)["body"])))
			}
		}
	}
	return unknown()
}
