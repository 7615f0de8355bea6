package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"mooring.dev/sources"
)

// dialer makes one operation's connection. Credentials are read anew each
// time, so that they may be replaced while the daemon runs.
type dialer interface {
	dial() (link, error)
}

// link is a connection about to be made.
type link struct {
	transport transport.Transport
	endpoint  *transport.Endpoint
	auth      transport.AuthMethod
	secrets   []string
	status    *int // the HTTP status that ended the operation, or 0
}

// remote is an upstream that speaks git's protocol.
type remote struct {
	dialer  dialer
	options Options
}

// failed classifies what went wrong on a link.
func (l link) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	kind := sources.ErrUnreachable
	if l.status != nil {
		switch *l.status {
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = sources.ErrUnauthorized
			if l.auth == nil {
				err = fmt.Errorf("%w (no credential was given)", err)
			}
		case http.StatusNotFound:
			// Hosts hide what credentials may not see behind a 404.
			kind = sources.ErrUnauthorized
			err = errors.New("not found, or not to be seen with these credentials")
		}
	}
	if errors.Is(err, transport.ErrRepositoryNotFound) || errors.Is(err, transport.ErrAuthenticationRequired) {
		kind = sources.ErrUnauthorized
	}
	return fail(doing, kind, err, l.secrets...)
}

func (u *remote) list(ctx context.Context) (heads, error) {
	const doing = "list branches"
	link, err := u.dialer.dial()
	if err != nil {
		return heads{}, link.failed(doing, err)
	}
	session, err := link.transport.NewUploadPackSession(link.endpoint, link.auth)
	if err != nil {
		return heads{}, link.failed(doing, err)
	}
	found, err := advertised(ctx, session)
	if closing := session.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return heads{}, link.failed(doing, cmp.Or(ctx.Err(), err))
	}
	return headsOf(found), nil
}

// advertised reads what a server has. An empty repository has nothing.
func advertised(ctx context.Context, session transport.Session) (*packp.AdvRefs, error) {
	found, err := session.AdvertisedReferencesContext(ctx)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return packp.NewAdvRefs(), nil
	}
	return found, err
}

func headsOf(found *packp.AdvRefs) heads {
	all := heads{branches: map[string]plumbing.Hash{}}
	for name, hash := range found.References {
		if branch, ok := branchOf(name); ok && !hash.IsZero() {
			all.branches[branch] = hash
		}
	}
	for _, pair := range found.Capabilities.Get(capability.SymRef) {
		if target, ok := strings.CutPrefix(pair, "HEAD:"); ok {
			all.main, _ = branchOf(target)
		}
	}
	return all
}

func (u *remote) bring(ctx context.Context, into *store, wants []plumbing.Hash) error {
	const doing = "fetch"
	link, err := u.dialer.dial()
	if err != nil {
		return link.failed(doing, err)
	}
	session, err := link.transport.NewUploadPackSession(link.endpoint, link.auth)
	if err != nil {
		return link.failed(doing, err)
	}
	err = u.download(ctx, session, into, wants)
	if closing := session.Close(); err == nil {
		err = closing
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return link.failed(doing, err)
}

// download asks for commits and stores what comes.
func (u *remote) download(ctx context.Context, session transport.UploadPackSession, into *store, wants []plumbing.Hash) error {
	found, err := advertised(ctx, session)
	if err != nil {
		return err
	}
	request := packp.NewUploadPackRequestFromCapabilities(found.Capabilities)
	if found.Capabilities.Supports(capability.NoProgress) {
		if err := request.Capabilities.Set(capability.NoProgress); err != nil {
			return err
		}
	}
	request.Wants = wants
	if request.Haves, err = haves(ctx, into); err != nil {
		return err
	}
	response, err := session.UploadPack(ctx, request)
	if err != nil {
		return err
	}
	err = into.receive(ctx, demultiplexed(request.Capabilities, response, nil), wants, u.options)
	if closing := response.Close(); err == nil {
		err = closing
	}
	return err
}

// demultiplexed takes the side band off, where one was agreed on.
func demultiplexed(agreed *capability.List, r io.Reader, progress sideband.Progress) io.Reader {
	kind := sideband.Sideband64k
	switch {
	case agreed.Supports(capability.Sideband64k):
	case agreed.Supports(capability.Sideband):
		kind = sideband.Sideband
	default:
		return r
	}
	d := sideband.NewDemuxer(kind, r)
	d.Progress = progress
	return d
}

const (
	// maxHaves bounds how many commits the server is told we have, and
	// havesDeep how far back each branch is told.
	maxHaves  = 256
	havesDeep = 32
)

// haves tells what the store has, from its references and some way back.
func haves(ctx context.Context, s *store) ([]plumbing.Hash, error) {
	if s.damaged {
		return nil, nil // all of it again
	}
	held, err := s.refs("refs/")
	if err != nil {
		return nil, err
	}
	tips := make([]string, 0, len(held))
	for name := range held {
		tips = append(tips, name)
	}
	slices.Sort(tips)
	var known []plumbing.Hash
	seen := map[plumbing.Hash]bool{}
	for _, name := range tips {
		left := havesDeep
		if !s.has(held[name]) {
			continue
		}
		err := s.history(ctx, []plumbing.Hash{held[name]}, func(c *object.Commit) (bool, error) {
			if len(known) >= maxHaves || seen[c.Hash] {
				return false, nil
			}
			seen[c.Hash] = true
			known = append(known, c.Hash)
			left--
			return left > 0, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

func (u *remote) push(ctx context.Context, from *store, branch string, old, to plumbing.Hash) error {
	const doing = "push"
	link, err := u.dialer.dial()
	if err != nil {
		return link.failed(doing, err)
	}
	session, err := link.transport.NewReceivePackSession(link.endpoint, link.auth)
	if err != nil {
		return link.failed(doing, err)
	}
	said := &limited{}
	err = upload(ctx, session, from, pushOrder{branch: branch, old: old, to: to, said: said})
	if closing := session.Close(); err == nil {
		err = closing
	}
	if err == nil || errors.Is(err, sources.ErrMoved) {
		return link.failed(doing, err)
	}
	return u.outcome(ctx, link, pushOrder{branch: branch, old: old, to: to, said: said}, err)
}

// outcome finds out what became of a push that did not end well: the
// connection may have died after the server took it, somebody may have been
// faster, or the server said no.
func (u *remote) outcome(ctx context.Context, link link, order pushOrder, failed error) error {
	const doing = "push"
	if link.status != nil && *link.status == http.StatusForbidden {
		return fail(doing, sources.ErrRefused, failed, link.secrets...)
	}
	now, err := u.list(ctx)
	switch {
	case err != nil:
		return link.failed(doing, failed)
	case now.branches[order.branch] == order.to:
		return nil
	case now.branches[order.branch] != order.old:
		return fail(doing, nil, as(sources.ErrMoved, "branch %s is at %s", order.branch, now.branches[order.branch]))
	}
	var refused *reportError
	if errors.As(failed, &refused) {
		return fail(doing, sources.ErrRefused, errors.New(refused.text+" "+order.said.String()), link.secrets...)
	}
	return link.failed(doing, failed)
}

// pushOrder is one branch to move, and what the server said to it.
type pushOrder struct {
	branch  string
	old, to plumbing.Hash
	said    *limited
}

// reportError is a server's no in its report.
type reportError struct{ text string }

func (e *reportError) Error() string { return e.text }

// upload sends the objects and the command, guarded by the old value: the
// server compares it under its own lock.
func upload(ctx context.Context, session transport.ReceivePackSession, from *store, order pushOrder) error {
	found, err := advertised(ctx, session)
	if err != nil {
		return err
	}
	theirs := headsOf(found)
	if theirs.branches[order.branch] != order.old {
		return as(sources.ErrMoved, "branch %s is at %s", order.branch, theirs.branches[order.branch])
	}
	objects, err := unsent(ctx, from, order.to, theirs.branches)
	if err != nil {
		return err
	}
	request := packp.NewReferenceUpdateRequestFromCapabilities(found.Capabilities)
	if found.Capabilities.Supports(capability.Sideband64k) {
		if err := request.Capabilities.Set(capability.Sideband64k); err != nil {
			return err
		}
		request.Progress = order.said
	}
	request.Commands = []*packp.Command{{
		Name: plumbing.NewBranchReferenceName(order.branch), Old: order.old, New: order.to,
	}}
	var pack bytes.Buffer
	if err := writePack(ctx, &pack, from, objects); err != nil {
		return err
	}
	request.Packfile = io.NopCloser(&pack)
	report, err := session.ReceivePack(ctx, request)
	if report != nil && report.Error() != nil {
		return &reportError{text: report.Error().Error()}
	}
	return err
}

// limited keeps the first bytes of what a server says.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxErrorText - l.Len(); room > 0 {
		l.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
