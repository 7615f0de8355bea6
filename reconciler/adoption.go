package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/amend"
	"mooring.dev/sources/manifest"
)

// adopting is what an environment knows of its offer to declare what was
// changed by hand. All of it is cache.
type adopting struct {
	key    string // of what the edit was made of
	edit   amend.Result
	err    error
	pushed offered // source is the print of what is offered
	until  time.Time
	again  time.Time // no push before
	tries  int
	failed string // why the last push came to nothing
	// said is what became of each difference that policy wants declared, by item.
	said map[string]web.Proposal
}

// adoptEvery is how often an offer to adopt is changed at most.
const adoptEvery = 5 * time.Minute

// adoptBranch is where what was changed by hand is offered to be declared.
func adoptBranch(environment string) string { return "mooring/adopt/" + environment }

// adoptionFault is the kind of alert about an offer that could not be made.
const adoptionFault = "adoption"

// adopt offers people to declare what policy wants declared: as a commit on a
// branch of its own, with a pull request where there is a host.
func (p *pass) adopt(ctx context.Context) error {
	if p.e.d.opts.ReadOnly || p.suspended() || !p.settled() {
		p.adoption = p.standingOffer()
		return nil
	}
	said := map[string]web.Proposal{}
	err := p.adoptAll(ctx, said)
	p.e.adopting.said = said
	return err
}

// settled: the branch's head was let in and is in force, so that what differs
// from it is nobody's release.
func (p *pass) settled() bool {
	ro, a := p.st.Rollout, p.st.Admitted
	return p.head.there && a != nil && a.Release.Commit == p.head.snap.Commit.SHA && p.head.err == nil && p.head.release != nil && p.target != nil && !p.e.look.at.IsZero() &&
		ro.Phase == rollout.Idle && p.head.release.Digest == ro.Release.Digest
}

func (p *pass) adoptAll(ctx context.Context, said map[string]web.Proposal) error {
	items, err := p.toAdopt(ctx, said)
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return p.nothingToAdopt(ctx)
	}
	edit, err := p.amended(items)
	if err != nil {
		for _, item := range items {
			said[item.ID] = web.Proposal{State: "left", Why: err.Error()}
		}
		return nil
	}
	for _, l := range edit.Left {
		said[l.Item.ID] = web.Proposal{State: "left", Why: l.Why}
	}
	if len(edit.Adopted) == 0 {
		return p.nothingToAdopt(ctx)
	}
	return p.offerAdoption(ctx, items, edit, said)
}

// toAdopt are the differences that policy wants declared and nobody holds or
// refused, sorted by id.
func (p *pass) toAdopt(ctx context.Context, said map[string]web.Proposal) ([]record.DriftItem, error) {
	if err := p.heedRefusal(ctx); err != nil {
		return nil, err
	}
	var out []record.DriftItem
	for _, item := range p.decided() {
		if item.Response != record.Propose {
			continue
		}
		if r, refused := p.st.Refused[item.Print()]; refused {
			said[item.ID] = web.Proposal{State: record.AdoptionRefused, Branch: r.Branch, Number: r.Number, URL: r.URL, Why: refusal(r)}
			continue
		}
		if slices.ContainsFunc(p.holds(), func(h record.Hold) bool { return h.Scope.Item == item.ID || h.Covers(item.Ref) }) {
			said[item.ID] = web.Proposal{State: "held", Why: "it is offered when the hold on it is lifted"}
			continue
		}
		out = append(out, item)
	}
	return out, nil
}

func refusal(r record.Refusal) string {
	if r.Number > 0 {
		return fmt.Sprintf("refused in #%d: open it again, or declare it by hand", r.Number)
	}
	return "refused: branch " + r.Branch + " was deleted; declare it by hand"
}

// heedRefusal remembers that people closed the offer, or opened it again.
func (p *pass) heedRefusal(ctx context.Context) error {
	a := p.st.Adoption
	r := p.e.adopted.Load()
	_, there := p.w.snapshots[a.Branch]
	switch {
	case a.Outcome == record.AdoptionOffered && r != nil && r.closed && r.key == adoptionKey(a):
		a.Number, a.URL = r.number, r.url
	case a.Outcome == record.AdoptionOffered && !there && a.Onto == p.head.snap.Commit.SHA && p.w.at.After(a.At.Add(pushedLimit)):
		// Deleted, while what it was for stayed as it was: nobody merged it.
	case a.Outcome == record.AdoptionRefused && r != nil && !r.closed && r.number > 0 && r.number == a.Number && r.key == adoptionKey(a):
		a.Outcome, a.At = record.AdoptionOffered, p.now
		return p.rememberAdoption(ctx, a)
	default:
		return nil
	}
	a.Outcome, a.At = record.AdoptionRefused, p.now
	p.e.log.Info("adoption refused", zap.Int("number", a.Number), zap.String("url", a.URL))
	return p.rememberAdoption(ctx, a)
}

func (p *pass) rememberAdoption(ctx context.Context, a record.Adoption) error {
	p.changed = true
	return p.remember(ctx, journal.Record{Adoption: &a})
}

// adoptionKey names an offer on the host by what it would declare.
func adoptionKey(a record.Adoption) record.Key { return record.Key{Content: a.Commit} }

// amended edits the manifests for items, once for each of what that depends on.
func (p *pass) amended(items []record.DriftItem) (amend.Result, error) {
	key := p.head.snap.Commit.SHA + "|" + p.w.digest
	for _, item := range items {
		key += "|" + item.Print()
	}
	a := &p.e.adopting
	if a.key == key {
		return a.edit, a.err
	}
	b := p.e.bindings()
	if _, err := p.e.canonical(p.target, b); err != nil {
		return amend.Result{}, err
	}
	in := amend.Input{
		Tree: p.head.snap.Tree, Pipeline: p.w.pipeline, Environment: p.e.name, Addresses: b, Loader: &p.e.loader,
		Fields: func(res manifest.Resource) (map[string]string, error) {
			spec, err := p.e.provider.Canonical(res, providers.Bindings(b))
			return spec.Fields, err
		},
	}
	for _, item := range items {
		in.Items = append(in.Items, amend.Item{
			ID: item.ID, Ref: item.Ref, Parent: item.Parent, Path: item.Path, Kind: string(item.Kind), Live: item.Live, Sensitive: item.Sensitive,
		})
	}
	a.edit, a.err = amend.Edit(in)
	a.key = key
	return a.edit, a.err
}

// offerAdoption pushes the edit, and has a pull request opened for it.
func (p *pass) offerAdoption(ctx context.Context, items []record.DriftItem, edit amend.Result, said map[string]web.Proposal) error {
	byID := map[string]record.DriftItem{}
	for _, item := range items {
		byID[item.ID] = item
	}
	commit, err := p.pushAdoption(ctx, edit)
	if err != nil {
		return p.adoptionFailed(ctx, edit, err, said)
	}
	failed := p.e.adopting.failed
	switch {
	case commit == "" && failed != "":
		p.sayFailed(edit, said)
		return nil
	case commit == "": // a newer one follows when its time has come
		p.adoption = p.standingOffer()
	default:
		if err := p.standsOffered(ctx, edit, byID, commit); err != nil {
			return err
		}
	}
	for _, done := range edit.Adopted {
		said[done.Item.ID] = p.offeredAs()
	}
	if failed == "" {
		return nil
	}
	p.e.adopting.failed, p.e.adopting.tries = "", 0
	return p.resolve(ctx, adoptionFault, "")
}

// standsOffered remembers what is offered, and has the host know it.
func (p *pass) standsOffered(ctx context.Context, edit amend.Result, items map[string]record.DriftItem, commit string) error {
	before := p.st.Adoption
	a := record.Adoption{Branch: adoptBranch(p.e.name), Commit: commit, Onto: p.head.snap.Commit.SHA, Outcome: record.AdoptionOffered, At: p.now}
	if before.Commit == commit && before.Outcome == a.Outcome {
		a.At = before.At
	}
	for _, done := range edit.Adopted {
		a.Items = append(a.Items, record.AdoptionItem{Ref: done.Item.Ref, Path: done.Item.Path, Print: items[done.Item.ID].Print()})
	}
	if before.Outcome == a.Outcome && slices.Equal(before.Items, a.Items) {
		a.Number, a.URL = before.Number, before.URL // the same, onto another commit
	}
	if r := p.e.adopted.Load(); r != nil && r.key == adoptionKey(a) && !r.closed && r.number > 0 {
		a.Number, a.URL = r.number, r.url
	}
	p.adoption = offer{key: adoptionKey(a), commit: commit, number: a.Number, draft: sources.Draft{
		Head: a.Branch, Base: p.spec.Branch, Title: "Adopt what was changed by hand in " + p.e.name, Body: p.adoptionText(edit, items, commit),
	}}
	if before.Commit == a.Commit && before.Outcome == a.Outcome && before.Number == a.Number {
		return nil
	}
	return p.rememberAdoption(ctx, a)
}

// offeredAs says where a difference is offered to be declared.
func (p *pass) offeredAs() web.Proposal {
	a := p.st.Adoption
	return web.Proposal{State: record.AdoptionOffered, Branch: a.Branch, Commit: a.Commit, Number: a.Number, URL: a.URL}
}

// hostPause is how long an offer that has no pull request yet is not spoken of
// where a host is to open one.
const hostPause = 2 * time.Minute

// sayable: what is said of a proposal now is what will be said in a minute.
func (p *pass) sayable(said web.Proposal) bool {
	due := p.st.Adoption.At.Add(hostPause)
	if host := p.w.pipeline.Host; said.State != record.AdoptionOffered || said.Number > 0 || host == nil || host.Repository() == nil || !p.now.Before(due) {
		return true
	}
	p.later = append(p.later, due)
	return false
}

// nothingToAdopt takes an offer back that was made: merging it later would
// declare what does not live any more.
func (p *pass) nothingToAdopt(ctx context.Context) error {
	a := p.st.Adoption
	if a.Outcome != record.AdoptionOffered {
		p.adoption = p.standingOffer()
		return nil
	}
	snap, there := p.w.snapshots[a.Branch]
	if there && snap.TreeID != p.head.snap.TreeID && p.e.d.opts.Proposer != nil {
		if p.undecidedYet(a) || !p.mayPushAdoption() {
			p.adoption = p.standingOffer()
			return nil
		}
		head := p.head.snap.Commit.SHA
		_, err := p.e.d.opts.Proposer.Propose(ctx, sources.Edit{Branch: a.Branch, Expect: snap.Commit.SHA, Onto: head, Source: head, Message: "Nothing is left to adopt"})
		if err != nil {
			return p.adoptionFailed(ctx, amend.Result{}, err, nil)
		}
		p.e.d.nudgeFetch()
	}
	p.e.adopting.pushed, p.e.adopting.tries, p.e.adopting.failed = offered{}, 0, ""
	a.Outcome, a.At = record.AdoptionOver, p.now
	if err := p.rememberAdoption(ctx, a); err != nil {
		return err
	}
	p.adoption = p.standingOffer()
	return p.resolve(ctx, adoptionFault, "")
}

// undecidedYet: something that was offered differs still, and it is not known yet what
// is to be done about it.
func (p *pass) undecidedYet(a record.Adoption) bool {
	for _, item := range p.st.Drift {
		if (!item.Confirmed() || item.Decision == "") && slices.ContainsFunc(a.Items, func(i record.AdoptionItem) bool { return i.Ref == item.Ref && i.Path == item.Path }) {
			return true
		}
	}
	return false
}

// overFor is how long the host is told that an offer came to nothing.
const overFor = time.Hour

// standingOffer is the offer that was made before, as far as the host is to
// know: one that is over says so, of one that was refused it is watched whether
// people open it again.
func (p *pass) standingOffer() offer {
	a := p.st.Adoption
	o := offer{key: adoptionKey(a), commit: a.Commit, watch: true, draft: sources.Draft{Head: a.Branch, Base: p.spec.Branch}}
	switch {
	case a.Outcome == record.AdoptionOver && p.now.Before(a.At.Add(overFor)):
		o.draft.Title, o.draft.Body = "Nothing is left to adopt in "+p.e.name, "What was changed by hand lives no more, or is declared by now: this request brings nothing, and can be closed.\n"
		return o
	case a.Outcome == record.AdoptionOffered, a.Outcome == record.AdoptionRefused && a.Number > 0:
		return o
	}
	return offer{}
}

// adoptionMessage says in trailers what is declared by the commit.
func (p *pass) adoptionMessage(edit amend.Result) string {
	var text strings.Builder
	var ids []string
	for _, a := range edit.Adopted {
		fmt.Fprintf(&text, "%s\n", strings.TrimSpace(fmt.Sprintf("- %s %s", a.Item.Ref, a.Item.Path)))
		ids = append(ids, a.Item.ID)
	}
	return sources.AppendTrailers("Adopt what was changed by hand in "+p.e.name+"\n\n"+text.String(), map[string]string{
		"Mooring-Environment": p.e.name, "Mooring-Adopts": strings.Join(ids, "\n"),
	})
}
