package web

import (
	"encoding/json"
	"fmt"
	"strings"
)

// claim is what a webhook says has changed, and in which repository.
type claim struct {
	Hint
	repository string
}

// maxBranches bounds how many branches of one push are looked at.
const maxBranches = 100

// push notes that a branch was pushed. A commit of zeros is a branch that is
// gone.
func (c *claim) push(ref, commit string) {
	branch, ok := strings.CutPrefix(ref, "refs/heads/")
	if !ok || branch == "" || len(c.Pushed) >= maxBranches {
		return
	}
	if c.Pushed == nil {
		c.Pushed = map[string]string{}
	}
	if strings.Trim(commit, "0") == "" {
		commit = ""
	}
	c.Pushed[branch] = commit
}

// parseGitHub reads what GitHub sends, and Gitea and Forgejo after it.
func parseGitHub(event string, body []byte) (claim, error) {
	var in struct {
		Ref        string `json:"ref"`
		After      string `json:"after"`
		Repository struct {
			FullName string `json:"full_name"`
		} `json:"repository"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return claim{}, fmt.Errorf("webhook: %w", err)
	}
	c := claim{repository: in.Repository.FullName}
	switch {
	case event == "push":
		c.push(in.Ref, in.After)
	case event == "create", event == "delete":
		c.push("refs/heads/"+strings.TrimPrefix(in.Ref, "refs/heads/"), "")
	case strings.HasPrefix(event, "pull_request"): // also …_review, …_review_approved
		c.Reviewed = true
	}
	return c, nil
}

// parseGitLab reads what GitLab sends.
func parseGitLab(event string, body []byte) (claim, error) {
	var in struct {
		Ref     string `json:"ref"`
		After   string `json:"after"`
		Project struct {
			Path string `json:"path_with_namespace"`
		} `json:"project"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return claim{}, fmt.Errorf("webhook: %w", err)
	}
	c := claim{repository: in.Project.Path}
	switch event {
	case "Push Hook":
		c.push(in.Ref, in.After)
	case "Merge Request Hook":
		c.Reviewed = true
	}
	return c, nil
}

// parseBitbucket reads what Bitbucket Cloud and Bitbucket Data Center send.
func parseBitbucket(event string, body []byte) (claim, error) {
	type branch struct {
		Type   string `json:"type"`
		Name   string `json:"name"`
		Target struct {
			Hash string `json:"hash"`
		} `json:"target"`
	}
	type repository struct {
		FullName string `json:"full_name"` // Cloud
		Slug     string `json:"slug"`      // Data Center
		Project  struct {
			Key string `json:"key"`
		} `json:"project"`
	}
	var in struct {
		Repository repository `json:"repository"`
		Push       struct {
			Changes []struct {
				New *branch `json:"new"`
				Old *branch `json:"old"`
			} `json:"changes"`
		} `json:"push"`
		Changes []struct {
			Ref struct {
				ID string `json:"id"`
			} `json:"ref"`
			ToHash string `json:"toHash"`
		} `json:"changes"`
		PullRequest struct {
			ToRef struct {
				Repository repository `json:"repository"`
			} `json:"toRef"`
		} `json:"pullRequest"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return claim{}, fmt.Errorf("webhook: %w", err)
	}
	var c claim
	for _, r := range []repository{in.Repository, in.PullRequest.ToRef.Repository} {
		switch {
		case r.FullName != "":
			c.repository = r.FullName
		case r.Slug != "" && r.Project.Key != "":
			c.repository = r.Project.Key + "/" + r.Slug
		}
	}
	switch {
	case event == "repo:push":
		for _, change := range in.Push.Changes {
			switch {
			case change.New != nil && change.New.Type == "branch":
				c.push("refs/heads/"+change.New.Name, change.New.Target.Hash)
			case change.Old != nil && change.Old.Type == "branch":
				c.push("refs/heads/"+change.Old.Name, "")
			}
		}
	case event == "repo:refs_changed":
		for _, change := range in.Changes {
			c.push(change.Ref.ID, change.ToHash)
		}
	case strings.HasPrefix(event, "pullrequest:"), strings.HasPrefix(event, "pr:"):
		c.Reviewed = true
	}
	return c, nil
}

// parseGeneric reads {"ref": "refs/heads/NAME", "after": COMMIT}; without a
// ref anything may have changed.
func parseGeneric(_ string, body []byte) (claim, error) {
	var in struct {
		Ref   string `json:"ref"`
		After string `json:"after"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return claim{}, fmt.Errorf("webhook: %w", err)
		}
	}
	c := claim{Hint: Hint{Anything: in.Ref == ""}}
	c.push(in.Ref, in.After)
	return c, nil
}
