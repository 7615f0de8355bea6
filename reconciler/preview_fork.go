package reconciler

import (
	"context"
	"fmt"
	"slices"

	"mooring.dev/policy"
	"mooring.dev/reconciler/plan"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/manifest"
)

// forked is what a fork's pull request brings, rendered: strangers wrote it.
type forked struct {
	snap    sources.Snapshot
	release *manifest.Release
}

// visit reads and renders what a fork brings, beside all passes. Code is not
// read: what strangers name is not fetched with our rights.
func (d *Daemon) visit(ctx context.Context, w *world, spec manifest.Environment, sha string) (forked, error) {
	visitor, ok := d.opts.Source.(sources.Visitor)
	if !ok {
		return forked{}, fmt.Errorf("%w: this source shows branches alone", sources.ErrUnknownCommit)
	}
	snap, err := visitor.Visit(ctx, sha)
	if err != nil {
		return forked{}, err
	}
	var loader manifest.Loader // one of its own: strangers push nothing out of the cache
	docs, err := loader.Load(snap.Tree, manifest.LoadOptions{Path: spec.Path})
	if docs == nil {
		return forked{snap: snap}, err
	}
	rel, err := manifest.Render(docs, w.pipeline, spec.Name, sha)
	return forked{snap: snap, release: rel}, err
}

// previewFork plans what a fork brings against what was seen already. It looks
// nothing up that only the fork names, so that a stranger cannot have the
// account described, and shows nothing by which a secret could be guessed.
// Policies and settings are the base's: nothing of the fork but its manifests
// is read. Nothing is written, and nothing is remembered.
func (e *environment) previewFork(ctx context.Context, w *world, f forked) (web.Plan, error) {
	out := blankPlan(e.name, "")
	p, err := e.bystander(w)
	if err != nil {
		return out, err
	}
	rel := f.release
	p.head = head{snap: f.snap, there: true, update: sources.UpdateFastForward, release: rel}
	out.Commit, out.Content, out.Release = rel.Commit, rel.Content, rel.Digest
	if err := p.loadReleases(ctx); err != nil {
		return out, err
	}
	road, err := p.road(rel)
	if err != nil {
		return out, err
	}
	hideSensitive(road)
	for _, s := range road {
		if !adopts(s) {
			out.Steps = append(out.Steps, stepView(s))
		}
	}
	d, err := p.askFork(ctx, road)
	out.Decision = decisionView(d)
	out.Holds = p.predictedHolds(rel)
	out.Outcome = planOutcome(out, d)
	if err != nil {
		return out, fmt.Errorf("admission policy: %w", err)
	}
	return out, nil
}

// askFork judges what a fork brings as askAdmission would judge it on the
// branch, by its head commit alone and without evidence.
func (p *pass) askFork(ctx context.Context, road []plan.Step) (policy.Decision, error) {
	in, key := p.baseInput(), named(p.head.release).Key()
	in.Commit = p.w.commitInput(p.head.snap.Commit)
	tree := lineage{commits: []sources.Commit{p.head.snap.Commit}}
	differ(p.e.tree(ctx, p.admittedCommit()), p.head.snap.Tree, ".", &tree.paths)
	slices.Sort(tree.paths)
	tree.paths = tree.paths[:min(len(tree.paths), maxPaths)]
	p.w.addCommits(&in, tree)
	in.Source.From, in.Source.To, in.Source.Update = p.st.Branch, in.Commit.SHA, string(p.head.update)
	in.Release = policy.Release{Commit: in.Commit.SHA, Content: p.head.release.Content, Digest: p.head.release.Digest}
	if err := p.addChanges(&in, road, p.head.release); err != nil {
		return policy.Decision{}, err
	}
	in.Flags = []string{}
	d, err := p.asked(ctx, policy.Admission, in, key)
	if err == nil && len(p.spec.After) > 0 && !p.sameContent() {
		in.Request.ID, in.PromotionFacts = p.e.d.opts.NewID("dec"), p.promotionFacts(key)
		var second policy.Decision
		if second, err = p.asked(ctx, policy.Promotion, in, key); !second.Default || err != nil {
			d = stricter(d, second)
		}
	}
	if s := p.w.signature(p.head.snap.Commit); p.spec.Verifies() && s.Status != "valid" {
		why := fmt.Sprintf("%s takes only commits signed by a known key: commit %s by %s: %s", p.spec.Name, short(in.Commit.SHA), in.Commit.Author, signatureText(s))
		d = stricter(d, policy.Decision{ID: d.ID, Point: d.Point, Outcome: policy.Deny, Findings: []policy.Finding{{Code: codeSignature, Msg: why, Level: "deny"}}})
	}
	return d, err
}

// hiddenValue stands for both sides of a sensitive field: equal values have
// equal tokens, by which who writes one side could try the other.
const hiddenValue = `"(hidden)"`

func hideSensitive(road []plan.Step) {
	for _, s := range road {
		for i, f := range s.Fields {
			if f.Sensitive {
				s.Fields[i].Before, s.Fields[i].After = hiddenValue, hiddenValue
			}
		}
	}
}
