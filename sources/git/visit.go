package git

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/storage/memory"

	"mooring.dev/sources"
)

// What a commit of strangers may cost. It is held in memory: what it brings is
// the manifests of one environment repository, and no history.
const (
	visitPack    = 16 << 20 // bytes received
	visitObject  = 4 << 20  // bytes of one object
	visitTotal   = 64 << 20 // bytes of all
	visitTimeout = 30 * time.Second
)

var _ sources.Visitor = (*Repository)(nil)

// Visit reads one commit that the upstream has under any name. Nothing of it
// gets into the store, so that no branch can come to rest on it, and nobody
// fills a disk with it. It waits for no fetch, and none waits for it.
func (r *Repository) Visit(ctx context.Context, sha string) (sources.Snapshot, error) {
	const doing = "look at a commit"
	hash, err := parseSHA(sha)
	if err != nil {
		return sources.Snapshot{}, fail(doing, nil, err)
	}
	from, ok := r.upstream.(*remote)
	if !ok {
		return sources.Snapshot{}, fail(doing, nil, as(sources.ErrUnknownCommit, "%s is on no branch of this folder", sha))
	}
	ctx, cancel := context.WithTimeout(ctx, min(r.options.Timeout, visitTimeout))
	defer cancel()
	objects, err := from.visit(ctx, hash)
	if err != nil {
		return sources.Snapshot{}, err
	}
	snapshot, err := newMemory(objects).snapshot(hash)
	return snapshot, fail(doing, nil, err)
}

// visit brings a commit with its tree, without its parents.
func (u *remote) visit(ctx context.Context, hash plumbing.Hash) (storage, error) {
	const doing = "look at a commit"
	link, err := u.dialer.dial()
	if err != nil {
		return nil, link.failed(doing, err)
	}
	session, err := link.transport.NewUploadPackSession(link.endpoint, link.auth)
	if err != nil {
		return nil, link.failed(doing, err)
	}
	objects, err := taken(ctx, session, hash)
	if closing := session.Close(); err == nil {
		err = closing
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return objects, link.failed(doing, err)
}

func taken(ctx context.Context, session transport.UploadPackSession, hash plumbing.Hash) (storage, error) {
	found, err := advertised(ctx, session)
	if err != nil {
		return nil, err
	}
	if !offers(found, hash) {
		return nil, as(sources.ErrUnknownCommit, "%s is not offered", hash)
	}
	request := packp.NewUploadPackRequestFromCapabilities(found.Capabilities)
	if !found.Capabilities.Supports(capability.Shallow) {
		return nil, as(ErrTooLarge, "the server sends no commit without its history")
	}
	errs := []error{request.Capabilities.Set(capability.Shallow)}
	if found.Capabilities.Supports(capability.NoProgress) {
		errs = append(errs, request.Capabilities.Set(capability.NoProgress))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	request.Wants, request.Depth = []plumbing.Hash{hash}, packp.DepthCommits(1)
	response, err := session.UploadPack(ctx, request)
	if err != nil {
		return nil, err
	}
	objects, err := hold(ctx, demultiplexed(request.Capabilities, response, nil))
	if closing := response.Close(); err == nil {
		err = closing
	}
	return objects, err
}

// offers: the server has a name for the commit.
func offers(found *packp.AdvRefs, hash plumbing.Hash) bool {
	for _, at := range found.References {
		if at == hash {
			return true
		}
	}
	return false
}

// hold takes a small pack apart in memory, after it was measured.
func hold(ctx context.Context, pack io.Reader) (storage, error) {
	var whole bytes.Buffer
	got, err := io.Copy(&whole, io.LimitReader(pack, visitPack+1))
	if err != nil {
		return nil, as(sources.ErrUnreachable, "receive pack: %v", err)
	}
	if got > visitPack {
		return nil, as(ErrTooLarge, "pack has more than %d bytes", visitPack)
	}
	if _, err := measure(ctx, bytes.NewReader(whole.Bytes()), measureLimits{object: visitObject, total: visitTotal}); err != nil {
		return nil, err
	}
	objects := memory.NewStorage()
	parser, err := packfile.NewParserWithStorage(packfile.NewScanner(bytes.NewReader(whole.Bytes())), objects)
	if err == nil {
		_, err = parser.Parse()
	}
	if err != nil {
		return nil, as(sources.ErrUnreachable, "unpack: %v", err)
	}
	return objects, nil
}
