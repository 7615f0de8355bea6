package reconciler

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"go.uber.org/zap"

	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/amend"
)

// pushAdoption brings the edit to its branch, unless it is there; "" when that
// waits because it was changed a moment ago.
func (p *pass) pushAdoption(ctx context.Context, edit amend.Result) (string, error) {
	a, branch, onto := &p.e.adopting, adoptBranch(p.e.name), p.head.snap.Commit.SHA
	there := p.w.snapshots[branch].Commit.SHA
	print := printOf(edit.Files)
	if a.pushed.source == print && a.pushed.onto == onto && (a.pushed.commit == there || p.now.Before(a.until)) {
		return a.pushed.commit, nil
	}
	if p.st.Adoption.Onto == onto && p.st.Adoption.Commit == there && carries(p.w.snapshots[branch].Tree, edit.Files) {
		return there, nil // from before a restart
	}
	if !p.mayPushAdoption() {
		return "", nil
	}
	if p.e.d.opts.Proposer == nil {
		return "", errors.New("this source cannot move content")
	}
	proposal, err := p.e.d.opts.Proposer.Propose(ctx, sources.Edit{
		Branch: branch, Expect: there, Onto: onto, Source: onto, Files: edit.Files, Message: p.adoptionMessage(edit),
	})
	if err != nil {
		return "", err
	}
	a.pushed, a.until = offered{source: print, onto: onto, commit: proposal.SHA}, p.now.Add(pushedLimit)
	if proposal.SHA != there {
		p.e.log.Info("adoption offered", zap.String("commit", short(proposal.SHA)), zap.Int("items", len(edit.Adopted)))
		p.e.d.nudgeFetch()
	}
	return proposal.SHA, nil
}

// mayPushAdoption: the offer was not changed a moment ago, and no push was
// refused.
func (p *pass) mayPushAdoption() bool {
	next := p.e.adopting.again
	if last := p.st.Adoption.At; !last.IsZero() && !p.now.Before(last) && last.Add(adoptEvery).After(next) {
		next = last.Add(adoptEvery)
	}
	if p.now.Before(next) {
		p.later = append(p.later, next)
		return false
	}
	return true
}

// carries: the files stand in a tree as they are.
func carries(tree fs.FS, files map[string][]byte) bool {
	if tree == nil {
		return false
	}
	for name, data := range files {
		if there, err := fs.ReadFile(tree, name); err != nil || !bytes.Equal(there, data) {
			return false
		}
	}
	return true
}

func printOf(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%d:%s=%d:%s;", len(name), name, len(files[name]), files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// adoptionFailed tells of a push that came to nothing, and tries again later.
func (p *pass) adoptionFailed(ctx context.Context, edit amend.Result, err error, said map[string]web.Proposal) error {
	a := &p.e.adopting
	a.tries++
	a.again = p.now.Add(doubled(p.e.d.opts.Pace.Retry, a.tries, p.e.d.opts.Pace.RetryMax))
	p.later = append(p.later, a.again)
	if errors.Is(err, sources.ErrMoved) {
		p.e.d.nudgeFetch()
		return nil
	}
	a.failed = err.Error()
	p.sayFailed(edit, said)
	return p.fire(ctx, event{
		kind: adoptionFault, severity: "medium", title: "what was changed by hand in " + p.e.name + " could not be offered to be declared",
		text: a.failed + "\nThe differences stay as they are, and are told.",
	})
}

func (p *pass) sayFailed(edit amend.Result, said map[string]web.Proposal) {
	for _, done := range edit.Adopted {
		said[done.Item.ID] = web.Proposal{State: "failed", Branch: adoptBranch(p.e.name), Why: p.e.adopting.failed}
	}
}
