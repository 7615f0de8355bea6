package reconciler

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"mooring.dev/sources"
)

// repo is an environment repository in memory: a Source and a Proposer whose
// every effect can fail before and after it took hold. What is neither on a
// branch nor kept may be collected.
type repo struct {
	commits  map[string]sources.Snapshot
	branches map[string]string
	fetched  map[string]bool // what this clone holds
	kept     map[string]string
	brought  map[string][]string // by branch: what was put there by hand
	now      func() time.Time
	// fault is asked before and after each effect ("fetch", "keep:before",
	// "propose:after", …).
	fault func(op string) error
	moved func(e sources.Edit, sha string)
}

func newRepo(now func() time.Time) *repo {
	return &repo{
		commits: map[string]sources.Snapshot{}, branches: map[string]string{}, fetched: map[string]bool{}, kept: map[string]string{}, brought: map[string][]string{},
		now: now, fault: func(string) error { return nil }, moved: func(sources.Edit, string) {},
	}
}

// tree is files as a commit holds them.
func tree(files map[string]string) (fstest.MapFS, string) {
	t := fstest.MapFS{}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256([]byte(files[name]))
		id := hex.EncodeToString(sum[:])
		t[name] = &fstest.MapFile{Data: []byte(files[name]), Sys: sources.ContentID(id)}
		fmt.Fprintln(h, name, id)
	}
	return t, hex.EncodeToString(h.Sum(nil))
}

// commit puts files onto a branch, on top of what is there.
func (r *repo) commit(branch string, files map[string]string) string {
	var parents []string
	if head := r.branches[branch]; head != "" {
		parents = []string{head}
	}
	t, id := tree(files)
	sha := r.add(branch, sources.Snapshot{Tree: t, TreeID: id, Commit: sources.Commit{Parents: parents, Message: "change " + branch}})
	r.brought[branch] = append(r.brought[branch], sha)
	return sha
}

// rewrite puts files onto a branch with no history.
func (r *repo) rewrite(branch string, files map[string]string) string {
	delete(r.branches, branch)
	return r.commit(branch, files)
}

func (r *repo) add(branch string, s sources.Snapshot) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%d %s %s", len(r.commits), s.TreeID, strings.Join(s.Commit.Parents, " ")))
	s.Commit.SHA = hex.EncodeToString(sum[:])
	s.Commit.Author = sources.Identity{Name: "Dev", Email: "dev@example.com"}
	s.Commit.Committer, s.Commit.Time = s.Commit.Author, r.now()
	r.commits[s.Commit.SHA] = s
	r.branches[branch] = s.Commit.SHA
	return s.Commit.SHA
}

// collect forgets what nothing refers to any more.
func (r *repo) collect() {
	alive := map[string]bool{}
	for _, sha := range append(slices.Collect(maps.Values(r.branches)), slices.Collect(maps.Values(r.kept))...) {
		r.reach(sha, alive)
	}
	maps.DeleteFunc(r.fetched, func(sha string, _ bool) bool { return !alive[sha] })
}

func (r *repo) reach(sha string, seen map[string]bool) {
	for todo := []string{sha}; len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if next != "" && !seen[next] {
			seen[next] = true
			todo = append(todo, r.commits[next].Commit.Parents...)
		}
	}
}

// Fetch implements sources.Source.
func (r *repo) Fetch(ctx context.Context) (map[string]sources.Snapshot, error) {
	if err := r.fault("fetch"); err != nil {
		return nil, err
	}
	out := map[string]sources.Snapshot{}
	for branch, sha := range r.branches {
		out[branch] = r.commits[sha]
		if !r.fetched[sha] {
			r.reach(sha, r.fetched)
		}
	}
	return out, ctx.Err()
}

// Watch implements sources.Source.
func (r *repo) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return nil
}

// Classify implements sources.Source.
func (r *repo) Classify(_ context.Context, from, to string) (sources.Update, error) {
	switch {
	case from == to:
		return sources.UpdateNone, nil
	case from == "":
		return sources.UpdateCreated, nil
	case to == "":
		return sources.UpdateDeleted, nil
	}
	behind := map[string]bool{}
	r.reach(to, behind)
	switch {
	case !behind[from]:
		return sources.UpdateForced, nil
	case len(r.commits[to].Commit.Parents) > 1:
		return sources.UpdateMerge, nil
	}
	return sources.UpdateFastForward, nil
}

// Open implements sources.Source.
func (r *repo) Open(_ context.Context, sha string) (sources.Snapshot, error) {
	if err := r.fault("open"); err != nil {
		return sources.Snapshot{}, err
	}
	if !r.fetched[sha] {
		return sources.Snapshot{}, fmt.Errorf("%w %.12s", sources.ErrUnknownCommit, sha)
	}
	return r.commits[sha], nil
}

// Visit implements sources.Visitor: what strangers brought stands on branches
// that no fetch brings.
func (r *repo) Visit(_ context.Context, sha string) (sources.Snapshot, error) {
	if err := r.fault("visit"); err != nil {
		return sources.Snapshot{}, err
	}
	snap, ok := r.commits[sha]
	if !ok {
		return snap, fmt.Errorf("%w %.12s", sources.ErrUnknownCommit, sha)
	}
	return snap, nil
}

// Keep implements sources.Source.
func (r *repo) Keep(_ context.Context, name, sha string) error {
	if r.kept[name] == sha {
		return nil
	}
	if err := r.fault("keep:before"); err != nil {
		return err
	}
	if sha == "" {
		delete(r.kept, name)
	} else {
		r.kept[name] = sha
	}
	return r.fault("keep:after")
}

// Propose implements sources.Proposer.
func (r *repo) Propose(_ context.Context, e sources.Edit) (sources.Proposal, error) {
	if err := r.fault("propose:before"); err != nil {
		return sources.Proposal{}, err
	}
	head := r.branches[e.Branch]
	if head != e.Expect {
		return sources.Proposal{}, fmt.Errorf("%w: %s is at %.12s", sources.ErrMoved, e.Branch, head)
	}
	if len(e.Files) > 0 {
		return r.put(e, head)
	}
	if e.Onto != "" {
		before := map[string]bool{}
		r.reach(head, before)
		if before[e.Onto] && r.commits[head].TreeID == r.commits[e.Source].TreeID {
			return sources.Proposal{SHA: head}, nil
		}
		head = e.Onto
	}
	behind := map[string]bool{}
	r.reach(e.Source, behind)
	p := sources.Proposal{SHA: e.Source, FastForward: true}
	if head == "" || behind[head] {
		r.branches[e.Branch] = e.Source
	} else {
		s := r.commits[e.Source]
		s.Commit = sources.Commit{Parents: []string{head, e.Source}, Message: e.Message}
		p = sources.Proposal{SHA: r.add(e.Branch, s)}
	}
	r.fetched[p.SHA] = true
	r.moved(e, p.SHA)
	return p, r.fault("propose:after")
}

// put offers files on top of a commit.
func (r *repo) put(e sources.Edit, head string) (sources.Proposal, error) {
	files := map[string]string{}
	for name, f := range r.commits[e.Source].Tree.(fstest.MapFS) {
		files[name] = string(f.Data)
	}
	for name, data := range e.Files {
		files[name] = string(data)
	}
	t, id := tree(files)
	before := map[string]bool{}
	r.reach(head, before)
	if head != "" && before[e.Onto] && r.commits[head].TreeID == id {
		return sources.Proposal{SHA: head}, nil
	}
	sha := r.add(e.Branch, sources.Snapshot{Tree: t, TreeID: id, Commit: sources.Commit{Parents: []string{e.Onto}, Message: e.Message}})
	r.fetched[sha] = true
	r.moved(e, sha)
	return sources.Proposal{SHA: sha}, r.fault("propose:after")
}
