package hosttest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"
)

// of answers about one pull request.
func (r *Repository) of(h func(p *Pull, q *http.Request, body []byte) (int, any)) handler {
	return func(q *http.Request, body []byte) (int, any) {
		if p := r.pull(number(q)); p != nil {
			return h(p, q, body)
		}
		return unknown()
	}
}

// newest word of each person, in the order they first spoke.
func (p *Pull) newest() []*Review {
	var out []*Review
	for _, v := range p.Reviews {
		if v.Word == "comment" {
			continue
		}
		out = slices.DeleteFunc(out, func(o *Review) bool { return o.By == v.By })
		out = append(out, v)
	}
	return slices.DeleteFunc(out, func(v *Review) bool { return v.Dismissed })
}

// BitbucketCloud serves r as bitbucket.org does: commits of pull requests are
// told by their first twelve characters.
func (r *Repository) BitbucketCloud() *httptest.Server {
	base := "/2.0/repositories/" + Owner + "/" + Name
	one := base + "/pullrequests/{number}"
	return r.serve(map[string]handler{
		"GET " + base: func(*http.Request, []byte) (int, any) { return 200, object{"full_name": Owner + "/" + Name} },
		"GET " + base + "/branch-restrictions": func(q *http.Request, _ []byte) (int, any) {
			out := []object{}
			if r.protected[q.URL.Query().Get("pattern")] {
				out = append(out, object{"kind": "push"})
			}
			return 200, object{"values": out}
		},
		"GET " + base + "/commit/{sha}": func(q *http.Request, _ []byte) (int, any) {
			for _, p := range r.pulls {
				for _, v := range p.versions {
					if strings.HasPrefix(v.commit, q.PathValue("sha")) {
						return 200, object{"hash": v.commit}
					}
				}
			}
			return unknown()
		},
		"GET " + base + "/pullrequests": func(q *http.Request, _ []byte) (int, any) {
			want := q.URL.Query().Get("q")
			out := []object{}
			for _, p := range slices.Backward(r.pulls) {
				open := slices.Contains(q.URL.Query()["state"], cloudState(p))
				if open && strings.Contains(want, "destination.branch.name="+strconv.Quote(p.Base)) && (!strings.Contains(want, "source.branch.name") || strings.Contains(want, "source.branch.name="+strconv.Quote(p.Head))) {
					out = append(out, r.cloudPull(p))
				}
			}
			return cloudPage(out, q)
		},
		"POST " + base + "/pullrequests": func(_ *http.Request, body []byte) (int, any) {
			b := read(body)
			head, target := str(in(b, "source", "branch", "name")), str(in(b, "destination", "branch", "name"))
			if r.Head(head) == "" {
				return http.StatusBadRequest, object{"type": "error", "error": object{"message": "source: no such branch"}}
			}
			for _, p := range r.pulls { // the host updates the one there is
				if p.State == "open" && !p.Foreign && p.Head == head && p.Base == target {
					p.Title, p.Body = str(b["title"]), str(b["description"])
					return http.StatusCreated, r.cloudPull(p)
				}
			}
			return http.StatusCreated, r.cloudPull(r.open(Pull{Title: str(b["title"]), Body: str(b["description"]), Head: head, Base: target, Author: "mooring"}))
		},
		"GET " + one: r.of(func(p *Pull, _ *http.Request, _ []byte) (int, any) { return 200, r.cloudPull(p) }),
		"PUT " + one: r.of(func(p *Pull, _ *http.Request, body []byte) (int, any) {
			b := read(body)
			asked := named(b, func(o any) string { return str(in(o, "uuid")) })
			if r.Left != "" && slices.Contains(asked, r.Left) {
				return http.StatusBadRequest, object{"type": "error", "error": object{"message": "Bad request", "fields": object{"reviewers": []string{r.Left + " is not a member of this workspace"}}}}
			}
			p.Title, p.Body, p.edits = str(b["title"]), str(b["description"]), p.edits+1
			p.Reviewers = asked // who is left out is taken off
			return 200, r.cloudPull(p)
		}),
		"GET " + one + "/activity": r.of(r.cloudActivity),
		"GET " + one + "/comments": r.of(func(p *Pull, q *http.Request, _ []byte) (int, any) {
			out := []object{}
			for _, c := range p.Comments {
				out = append(out, cloudComment(c))
			}
			return cloudPage(out, q)
		}),
		"POST " + one + "/comments": r.of(func(p *Pull, _ *http.Request, body []byte) (int, any) {
			return http.StatusCreated, cloudComment(r.writeComment(p, 0, str(in(read(body), "content", "raw"))))
		}),
		"PUT " + one + "/comments/{id}": r.of(func(p *Pull, q *http.Request, body []byte) (int, any) {
			id, _ := strconv.ParseInt(q.PathValue("id"), 10, 64)
			if !p.ours(id) {
				return notYours()
			}
			return 200, cloudComment(r.writeComment(p, id, str(in(read(body), "content", "raw"))))
		}),
		"POST " + base + "/commit/{sha}/statuses/build": r.build(40),
	}, bearer)
}

// build sets a status, which needs an address and a key on both Bitbuckets, of
// so many characters at most.
func (r *Repository) build(most int) handler {
	return func(q *http.Request, body []byte) (int, any) {
		b := read(body)
		state := map[string]string{"INPROGRESS": "pending", "SUCCESSFUL": "success", "FAILED": "failure"}[str(b["state"])]
		if state == "" || str(b["key"]) == "" || len(str(b["key"])) > most || str(b["url"]) == "" {
			return http.StatusBadRequest, object{"error": object{"message": "key, state and url are needed"}}
		}
		r.statuses = append(r.statuses, Status{q.PathValue("sha"), str(b["name"]), state, str(b["description"]), str(b["url"]), str(b["key"])})
		return http.StatusCreated, object{"key": b["key"]}
	}
}

// named are the reviewers that a body names.
func named(body object, name func(any) string) []string {
	all, _ := body["reviewers"].([]any)
	var out []string
	for _, o := range all {
		out = append(out, name(o))
	}
	return out
}

func cloudState(p *Pull) string {
	return map[string]string{"open": "OPEN", "closed": "DECLINED", "merged": "MERGED"}[p.State]
}

func cloudPage(all []object, q *http.Request) (int, any) {
	part, next := page(all, q, "pagelen")
	out := object{"values": part, "pagelen": len(part)}
	if next > 0 {
		out["next"] = "https://elsewhere.test/?page=" + strconv.Itoa(next)
	}
	return 200, out
}

func abbreviated(sha string) string { return sha[:min(12, len(sha))] }

func (r *Repository) cloudPull(p *Pull) object {
	end := func(branch, sha string, foreign bool) object {
		return object{"branch": object{"name": branch}, "commit": object{"hash": abbreviated(sha)}, "repository": object{"full_name": fullName(foreign)}}
	}
	people := []object{}
	for _, v := range p.newest() {
		state := map[string]string{"approved": "approved", "changes": "changes_requested"}[v.Word]
		people = append(people, object{"user": object{"account_id": v.By, "nickname": "nick"}, "approved": v.Word == "approved", "state": state, "role": "REVIEWER"})
	}
	asked := []object{}
	for _, who := range p.Reviewers {
		asked = append(asked, object{"uuid": who, "display_name": who})
	}
	return object{
		"reviewers": asked, "id": p.Number, "title": p.Title, "description": p.Body, "state": cloudState(p), "author": object{"account_id": p.Author}, "participants": people,
		"source": end(p.Head, r.commit(p), p.Foreign), "destination": end(p.Base, r.Head(p.Base), false), "links": object{"html": object{"href": "https://host.test/pr/" + strconv.Itoa(p.Number)}},
	}
}

func (r *Repository) cloudActivity(p *Pull, q *http.Request, _ []byte) (int, any) {
	r.commit(p)
	out := []object{}
	for _, v := range slices.Backward(p.Reviews) {
		word := object{"date": stamp(v.At), "user": object{"account_id": v.By}}
		switch v.Word {
		case "approved":
			out = append(out, object{"approval": word})
		case "changes":
			out = append(out, object{"changes_requested": word})
		}
	}
	for _, v := range slices.Backward(p.versions) {
		out = append(out, object{"update": object{"date": stamp(v.at), "source": object{"commit": object{"hash": abbreviated(v.commit)}}}})
	}
	return cloudPage(out, q)
}

func cloudComment(c *Comment) object {
	return object{"id": c.ID, "content": object{"raw": c.Text}, "created_on": stamp(c.Changed), "updated_on": stamp(c.Changed), "deleted": false}
}

// BitbucketServer serves r as Bitbucket Data Center does.
func (r *Repository) BitbucketServer() *httptest.Server {
	base := "/rest/api/1.0/projects/" + Owner + "/repos/" + Name
	one := base + "/pull-requests/{number}"
	return r.serve(map[string]handler{
		"GET " + base: func(*http.Request, []byte) (int, any) {
			return 200, object{"slug": Name, "project": object{"key": Owner}}
		},
		"GET /rest/branch-permissions/2.0/projects/" + Owner + "/repos/" + Name + "/restrictions": func(q *http.Request, _ []byte) (int, any) {
			size := 0
			if r.protected[trimRef(q.URL.Query().Get("matcherId"))] {
				size = 1
			}
			return 200, object{"size": size}
		},
		"GET " + base + "/pull-requests": func(q *http.Request, _ []byte) (int, any) {
			out := []object{}
			for _, p := range slices.Backward(r.pulls) {
				if (q.URL.Query().Get("state") == "ALL" || p.State == "open") && trimRef(q.URL.Query().Get("at")) == p.Base {
					out = append(out, r.serverPull(p))
				}
			}
			return serverPage(out, q)
		},
		"POST " + base + "/pull-requests": func(_ *http.Request, body []byte) (int, any) {
			b := read(body)
			head, target := trimRef(str(in(b, "fromRef", "id"))), trimRef(str(in(b, "toRef", "id")))
			if r.dup(head, target) {
				return http.StatusConflict, object{"errors": []object{{"message": "Only one pull request may be open for a given source and target branch"}}}
			}
			return http.StatusCreated, r.serverPull(r.open(Pull{Title: str(b["title"]), Body: str(b["description"]), Head: head, Base: target, Author: "mooring"}))
		},
		"GET " + one: r.of(func(p *Pull, _ *http.Request, _ []byte) (int, any) { return 200, r.serverPull(p) }),
		"PUT " + one: r.of(func(p *Pull, _ *http.Request, body []byte) (int, any) {
			b := read(body)
			if v, ok := b["version"].(float64); !ok || int(v) != p.edits {
				return http.StatusConflict, object{"errors": []object{{"message": "you are attempting to modify a pull request based on out-of-date information"}}}
			}
			asked := named(b, func(o any) string { return str(in(o, "user", "name")) })
			if r.Left != "" && slices.Contains(asked, r.Left) {
				return http.StatusConflict, object{"errors": []object{{"message": "Errors encountered while adding some reviewers to this pull request.", "reviewerErrors": []object{{"context": r.Left}}}}}
			}
			p.Title, p.Body, p.edits = str(b["title"]), str(b["description"]), p.edits+1
			p.Reviewers = asked
			for _, v := range p.Reviews { // who is taken off has no word any more
				v.Dismissed = v.Dismissed || !slices.Contains(p.Reviewers, v.By)
			}
			return 200, r.serverPull(p)
		}),
		"GET " + one + "/activities": r.of(r.serverActivities),
		"POST " + one + "/comments": r.of(func(p *Pull, _ *http.Request, body []byte) (int, any) {
			return http.StatusCreated, serverComment(r.writeComment(p, 0, str(read(body)["text"])))
		}),
		"PUT " + one + "/comments/{id}": r.of(func(p *Pull, q *http.Request, body []byte) (int, any) {
			id, _ := strconv.ParseInt(q.PathValue("id"), 10, 64)
			b := read(body)
			for _, c := range p.Comments {
				if v, ok := b["version"].(float64); c.ID == id && (!ok || int(v) != c.Edits) {
					return http.StatusConflict, object{"errors": []object{{"message": "out-of-date version"}}}
				}
			}
			if !p.ours(id) {
				return notYours()
			}
			return 200, serverComment(r.writeComment(p, id, str(b["text"])))
		}),
		"POST " + base + "/commits/{sha}/builds": r.build(255),
	}, bearer)
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func serverComment(c *Comment) object {
	return object{"id": c.ID, "version": c.Edits, "text": c.Text, "createdDate": millis(c.Changed), "updatedDate": millis(c.Changed)}
}

func serverPage(all []object, q *http.Request) (int, any) {
	start, _ := strconv.Atoi(q.URL.Query().Get("start"))
	limit, _ := strconv.Atoi(q.URL.Query().Get("limit"))
	from, to := min(start, len(all)), min(start+limit, len(all))
	return 200, object{"values": all[from:to], "isLastPage": to == len(all), "nextPageStart": to, "size": to - from}
}

func (r *Repository) serverPull(p *Pull) object {
	end := func(branch, sha string, foreign bool) object {
		key := Owner
		if foreign {
			key = "~stranger"
		}
		return object{"id": "refs/heads/" + branch, "displayId": branch, "latestCommit": sha, "repository": object{"slug": Name, "project": object{"key": key}}}
	}
	people := []object{}
	newest := p.newest()
	for _, who := range p.Reviewers {
		if !slices.ContainsFunc(newest, func(v *Review) bool { return v.By == who }) {
			people = append(people, object{"user": object{"name": who}, "status": "UNAPPROVED", "approved": false, "role": "REVIEWER"})
		}
	}
	for _, v := range newest {
		status := map[string]string{"approved": "APPROVED", "changes": "NEEDS_WORK"}[v.Word]
		people = append(people, object{"user": object{"name": v.By}, "status": status, "approved": v.Word == "approved", "lastReviewedCommit": v.Commit, "role": "REVIEWER"})
	}
	return object{
		"id": p.Number, "version": p.edits, "title": p.Title, "description": p.Body, "state": cloudState(p), "author": object{"user": object{"name": p.Author}}, "reviewers": people, "participants": []object{},
		"fromRef": end(p.Head, r.commit(p), p.Foreign), "toRef": end(p.Base, r.Head(p.Base), false), "links": object{"self": []object{{"href": "https://host.test/pr/" + strconv.Itoa(p.Number)}}},
	}
}

func (r *Repository) serverActivities(p *Pull, q *http.Request, _ []byte) (int, any) {
	type event struct {
		at time.Time
		o  object
	}
	var all []event
	for _, v := range p.Reviews {
		action := map[string]string{"approved": "APPROVED", "changes": "REVIEWED", "comment": "COMMENTED"}[v.Word]
		all = append(all, event{v.At, object{"id": v.ID, "action": action, "createdDate": millis(v.At), "user": object{"name": v.By}}})
	}
	for _, c := range p.Comments {
		all = append(all, event{c.Changed, object{"id": c.ID + 1000, "action": "COMMENTED", "commentAction": "ADDED", "createdDate": millis(c.Changed), "user": object{"name": c.By}, "comment": serverComment(c)}})
	}
	slices.SortStableFunc(all, func(a, b event) int { return b.at.Compare(a.at) })
	out := []object{}
	for _, e := range all {
		out = append(out, e.o)
	}
	return serverPage(out, q)
}
