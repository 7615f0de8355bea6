package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.uber.org/zap"

	"mooring.dev/reconciler/record"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// keepRendered is how many rendered releases an environment keeps at hand.
const keepRendered = 12

// render makes the release of one snapshot, or answers it from the cache.
func (e *environment) render(ctx context.Context, w *world, snap sources.Snapshot) (*manifest.Release, error) {
	key := snap.Commit.SHA + "|" + w.digest
	if rel, ok := e.releases[key]; ok {
		return rel, nil
	}
	spec, _ := w.pipeline.Environment(e.name)
	docs, err := e.loader.Load(snap.Tree, manifest.LoadOptions{Path: spec.Path})
	if docs == nil {
		return nil, err
	}
	rel, err := manifest.Render(docs, w.pipeline, e.name, snap.Commit.SHA)
	if err != nil {
		return nil, err
	}
	rel, whole := e.withContracts(ctx, spec, rel)
	if !whole {
		return rel, nil
	}
	if len(e.releases) >= keepRendered {
		clear(e.releases)
	}
	e.releases[key] = rel
	if head, ok := w.branch(spec); ok && head.Commit.SHA == snap.Commit.SHA {
		for _, n := range docs.Notices(w.pipeline) {
			e.log.Info("notice", zap.String("commit", short(snap.Commit.SHA)), zap.String("reason", n.Error()))
		}
	}
	return rel, nil
}

// reopen renders a release from its commit again, fetched or kept.
func (e *environment) reopen(ctx context.Context, w *world, of record.Release) (*manifest.Release, error) {
	if of.Commit == "" {
		return nil, nil
	}
	snap, err := e.d.opts.Source.Open(ctx, of.Commit)
	if err != nil {
		return nil, fmt.Errorf("open release %.12s: %w", of.Commit, err)
	}
	rel, err := e.render(ctx, w, snap)
	if err != nil {
		return nil, fmt.Errorf("render release %.12s again: %w", of.Commit, err)
	}
	return rel, nil
}

// pipelineDigest covers everything of the pipeline that rendering depends on.
func pipelineDigest(p *manifest.Pipeline) string {
	text, err := json.Marshal(struct {
		Name, Naming string
		Environments []manifest.Environment
	}{p.Name, p.Naming, p.Environments})
	if err != nil { // plain data: cannot fail, and must not look unchanged if it did
		return "unmarshalable: " + err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// named is the record's name of a rendered release.
func named(rel *manifest.Release) record.Release {
	return record.Release{Commit: rel.Commit, Content: rel.Content, Overlay: rel.Overlay, Digest: rel.Digest}
}

// short is a digest or commit as people see it.
func short(digest string) string {
	const scheme = "sha256:"
	if len(digest) > len(scheme) && digest[:len(scheme)] == scheme {
		digest = digest[len(scheme):]
	}
	return digest[:min(12, len(digest))]
}
