package hosttest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
)

// GitLab serves r as GitLab does. An approval names no commit there, and who
// asks for changes is not told.
func (r *Repository) GitLab() *httptest.Server {
	base := "/api/v4/projects/{project}"
	of := func(h func(p *Pull, q *http.Request, body []byte) (int, any)) handler {
		return func(q *http.Request, body []byte) (int, any) {
			p := r.pull(number(q))
			if q.PathValue("project") != Owner+"/"+Name || p == nil {
				return unknown()
			}
			return h(p, q, body)
		}
	}
	return r.serve(map[string]handler{
		"GET " + base: func(q *http.Request, _ []byte) (int, any) {
			if q.PathValue("project") != Owner+"/"+Name {
				return unknown()
			}
			level := 30
			if r.ReadOnly {
				level = 20
			}
			return 200, object{"id": 1, "path_with_namespace": Owner + "/" + Name, "permissions": object{"project_access": object{"access_level": level}, "group_access": nil}}
		},
		"GET " + base + "/repository/branches/{branch}": r.gitBranch,
		"GET " + base + "/merge_requests": func(q *http.Request, _ []byte) (int, any) {
			v := q.URL.Query()
			out := []object{}
			for _, p := range slices.Backward(r.pulls) {
				if (v.Get("state") != "opened" || p.State == "open") && v.Get("target_branch") == p.Base && (v.Get("source_branch") == "" || v.Get("source_branch") == p.Head) {
					out = append(out, r.labPull(p))
				}
			}
			return 200, listed(out, q, "per_page")
		},
		"POST " + base + "/merge_requests": func(_ *http.Request, body []byte) (int, any) {
			b := read(body)
			head, target := str(b["source_branch"]), str(b["target_branch"])
			if r.dup(head, target) {
				return http.StatusConflict, object{"message": []string{"Another open merge request already exists for this source branch: !1"}}
			}
			return http.StatusCreated, r.labPull(r.open(Pull{Title: str(b["title"]), Body: str(b["description"]), Head: head, Base: target, Author: "mooring"}))
		},
		"PUT " + base + "/merge_requests/{number}": of(func(p *Pull, _ *http.Request, body []byte) (int, any) {
			b := read(body)
			p.Title, p.Body, p.edits = str(b["title"]), str(b["description"]), p.edits+1
			return 200, r.labPull(p)
		}),
		"GET " + base + "/merge_requests/{number}/approvals": of(r.labApprovals),
		"GET " + base + "/merge_requests/{number}/reviewers": of(r.labReviewers),
		"GET " + base + "/merge_requests/{number}/versions": of(func(p *Pull, q *http.Request, _ []byte) (int, any) {
			r.commit(p)
			out := []object{}
			for i, v := range slices.Backward(p.versions) {
				out = append(out, object{"id": i + 1, "head_commit_sha": v.commit, "created_at": stamp(v.at)})
			}
			return 200, listed(out, q, "per_page")
		}),
		"POST " + base + "/statuses/{sha}": func(q *http.Request, body []byte) (int, any) {
			b := read(body)
			state := map[string]string{"pending": "pending", "success": "success", "failed": "failure"}[str(b["state"])]
			for _, s := range slices.Backward(r.statuses) {
				if s.Commit != q.PathValue("sha") || s.Context != str(b["name"]) {
					continue
				}
				if s.State == "pending" && state == "pending" {
					return http.StatusBadRequest, object{"message": "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")"}
				}
				break
			}
			r.statuses = append(r.statuses, Status{q.PathValue("sha"), str(b["name"]), state, str(b["description"]), str(b["target_url"]), ""})
			return http.StatusCreated, object{"id": r.id(), "sha": q.PathValue("sha")}
		},
		"GET " + base + "/merge_requests/{number}/notes": of(func(p *Pull, q *http.Request, _ []byte) (int, any) {
			out := []object{}
			for _, c := range p.Comments {
				out = append(out, gitCommentOf(c))
			}
			return 200, listed(out, q, "per_page")
		}),
		"POST " + base + "/merge_requests/{number}/notes": of(func(p *Pull, _ *http.Request, body []byte) (int, any) {
			return http.StatusCreated, gitCommentOf(r.writeComment(p, 0, str(read(body)["body"])))
		}),
		"PUT " + base + "/merge_requests/{number}/notes/{id}": of(func(p *Pull, q *http.Request, body []byte) (int, any) {
			id, _ := strconv.ParseInt(q.PathValue("id"), 10, 64)
			if !p.ours(id) {
				return notYours()
			}
			return 200, gitCommentOf(r.writeComment(p, id, str(read(body)["body"])))
		}),
	}, func(q *http.Request) bool { return q.Header.Get("PRIVATE-TOKEN") == Token })
}

func (r *Repository) labPull(p *Pull) object {
	source := 1
	if p.Foreign {
		source = 2
	}
	state := map[string]string{"open": "opened", "closed": "closed", "merged": "merged"}[p.State]
	return object{
		"id": 100 + p.Number, "iid": p.Number, "title": p.Title, "description": p.Body, "state": state, "source_branch": p.Head, "target_branch": p.Base,
		"source_project_id": source, "target_project_id": 1, "sha": r.commit(p), "author": object{"username": p.Author}, "web_url": "https://host.test/mr/" + strconv.Itoa(p.Number),
	}
}

// labReviewers tells how each reviewer's newest word stands; one who took it back
// is unreviewed.
func (r *Repository) labReviewers(p *Pull, _ *http.Request, _ []byte) (int, any) {
	states := map[string]string{}
	for _, v := range p.Reviews {
		switch {
		case v.Dismissed:
			states[v.By] = "unreviewed"
		case v.Word != "comment":
			states[v.By] = map[string]string{"approved": "approved", "changes": "requested_changes"}[v.Word]
		}
	}
	out := []object{}
	for _, name := range slices.Sorted(maps.Keys(states)) {
		out = append(out, object{"user": object{"username": name}, "state": states[name], "created_at": stamp(p.Reviews[0].At)})
	}
	return 200, out
}

func (r *Repository) labApprovals(p *Pull, _ *http.Request, _ []byte) (int, any) {
	newest := map[string]*Review{}
	var order []string
	for _, v := range p.Reviews {
		if newest[v.By] == nil {
			order = append(order, v.By)
		}
		if v.Word != "comment" {
			newest[v.By] = v
		}
	}
	by := []object{}
	for _, name := range order {
		if v := newest[name]; v != nil && v.Word == "approved" && !v.Dismissed {
			by = append(by, object{"user": object{"username": name}, "approved_at": stamp(v.At)})
		}
	}
	return 200, object{"iid": p.Number, "approved_by": by}
}
