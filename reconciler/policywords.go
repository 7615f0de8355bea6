package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/approve"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/web"
)

// PolicyWord records what a person says of policies that those in force keep out.
func (d *Daemon) PolicyWord(ctx context.Context, r web.PolicyRequest) (web.Approval, error) {
	out := web.Approval{Content: r.Commit, Answer: r.Answer, By: r.By.Name, Findings: []string{}}
	if err := mayGovern(r); err != nil {
		return out, err
	}
	w, last, err := d.keptOut(r.Commit)
	if err != nil {
		return out, err
	}
	authors := d.policyAuthors(ctx, last.Before, w.control.Commit)
	if r.Force && slices.ContainsFunc(authors, func(a approve.Author) bool { return r.By.Same(a.Name, a.Email) }) {
		return out, fmt.Errorf("activate policies: %s wrote commits of this change; it takes another admin", r.By.Name)
	}
	now := d.opts.Now()
	word := record.PolicyWord{Force: r.Force, Approval: record.Approval{
		Key: record.Key{Content: last.Revision}, By: r.By.Name, Identity: r.By.Identity, Verified: r.By.Verified, Proof: r.By.Proof, Answer: r.Answer, Findings: codesOf(last.Findings),
		Emails: r.By.Emails, Teams: r.By.Teams, Reason: r.Reason, At: now,
	}}
	if r.Answer == record.Approved && !r.Force {
		word.Until = now.Add(cmp.Or(r.For, approvalFor))
	}
	if err := d.ledger.append(ctx, "", journal.Record{PolicyWord: &word}); err != nil {
		return out, err
	}
	d.nudgeFetch()
	if r.Force {
		out.Content, out.Counts = last.Revision, true
		return out, nil
	}
	q := approve.Question{Key: word.Key, Protected: true, Codes: word.Findings, Now: now, Authors: authors}
	for _, v := range approve.Weigh([]record.Approval{word.Approval}, q) {
		out = approvalView("", v)
	}
	return out, nil
}

// mayGovern: policies are everybody's, so a word on them takes a role that is
// narrowed to no environment.
func mayGovern(r web.PolicyRequest) error {
	verb := access.Approve
	if r.Force {
		verb = access.Govern
	}
	if err := r.By.CheckEverywhere(verb); err != nil {
		return err
	}
	switch {
	case r.Force && !r.By.Verified:
		return &access.Refusal{Who: r.By.Name, Verb: verb, Environment: "every environment", Of: "a name that is proved: a personal token of an admin (`mooring token create`)"}
	case r.Force && r.Reason == "":
		return fmt.Errorf("activate policies: overruling those in force needs a reason (--reason)")
	case r.Force && r.Answer != record.Approved, r.Answer != record.Approved && r.Answer != record.Rejected && r.Answer != record.Withdrawn:
		return fmt.Errorf("answer %q: want approve, reject or withdraw", r.Answer)
	case r.Answer == record.Rejected && r.Reason == "":
		return fmt.Errorf("reject policies: a rejection needs a reason (--reason)")
	case r.For < 0 || r.For > maxApproval:
		return fmt.Errorf("approve policies: an approval is good for at most %s", maxApproval)
	}
	return nil
}

// keptOut are the policies a person's word would help: those at the head of the
// control branch, when the ones in force keep them out.
func (d *Daemon) keptOut(commit string) (*world, record.Activation, error) {
	w, all := d.world.Load(), d.ledger.activations()
	if w == nil || len(all) == 0 {
		return nil, record.Activation{}, fmt.Errorf("policies at %s: %w: no policies were read yet", cmp.Or(commit, "the head"), ErrUnknown)
	}
	last := all[len(all)-1]
	switch {
	case last.Active || last.Revision != w.control.Commit.SHA || !strings.HasPrefix(last.Revision, commit):
		return nil, last, fmt.Errorf("policies at %s: %w: none are kept out there; in force are those at %s, and `mooring status` shows what waits", cmp.Or(commit, "the head"), ErrUnknown, short(w.policies))
	case last.Outcome == "":
		return nil, last, fmt.Errorf("policies at %s cannot become active by anybody's word; they have to be mended: %s", short(last.Revision), last.Reason)
	}
	return w, last, nil
}
