package aws

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

var _ providers.Adopter = (*Provider)(nil)

// drafted kinds can be put into the form of a manifest.
type drafted interface {
	// namedIn reads the name out of an ARN of this kind; ok is false for the
	// ARNs of others. It is the physical one, unless that alone does not find
	// the thing: then what draft and every call it.
	namedIn(arn string) (name string, ok bool)
	// draft reads what lives under a name; nil when nothing does. What it
	// refers to it asks for with need.
	draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error)
	// every lists the names of all there are in the account and region.
	every(ctx context.Context, a *adoption) ([]string, error)
}

// adoption is one reading of what lives.
type adoption struct {
	p     *Provider
	cl    *clients
	sweep *sweep // the region's functions and mappings
	what  providers.Adoption

	mu        sync.Mutex
	functions map[string]*living // drafted, by name
	asked     map[wanted]bool
	queue     []wanted // still to be read
	out       providers.Adopted
	secret    map[string]bool // ARNs and names in variables, that may be of secrets and parameters
}

// wanted is a thing that is to be drafted.
type wanted struct{ kind, name string }

// Adopt reads functions, what stands on them, and everything they name that is
// of a kind a manifest can declare; without names, everything there is.
func (p *Provider) Adopt(ctx context.Context, what providers.Adoption) (providers.Adopted, error) {
	a := &adoption{p: p, cl: p.front, what: what, functions: map[string]*living{}, asked: map[wanted]bool{}, secret: map[string]bool{}}
	a.sweep = &sweep{p: p, cl: p.front, at: p.o.Now(), inv: providers.Inventory{Errors: map[manifest.Ref]error{}, Live: map[manifest.Ref]providers.Live{}, Layers: map[string]time.Time{}}}
	a.sweep.lookInBulk(ctx)
	if err := firstOf(a.sweep.bulkErr, a.sweep.mappingsErr); err != nil {
		return providers.Adopted{}, err
	}
	names := what.Functions
	if len(names) == 0 {
		names = sortedKeys(a.sweep.bulk)
	}
	parallel(p.o.Parallel, names, func(name string) { a.function(ctx, name) })
	if len(what.Functions) == 0 {
		a.everything(ctx)
	} else {
		a.around(ctx)
	}
	a.follow(ctx)
	a.secrets(ctx)
	if err := ctx.Err(); err != nil {
		return providers.Adopted{}, err
	}
	for _, name := range sortedKeys(a.functions) {
		a.functions[name].finish()
		a.add(*a.functions[name].d)
	}
	sort.Slice(a.out.Drafts, func(i, j int) bool {
		x, y := a.out.Drafts[i], a.out.Drafts[j]
		return cmp.Or(x.Ref().Compare(y.Ref()), strings.Compare(x.Addresses["arn"], y.Addresses["arn"])) < 0
	})
	a.apart()
	sort.Slice(a.out.Skipped, func(i, j int) bool {
		x, y := a.out.Skipped[i], a.out.Skipped[j]
		return x.Kind+" "+x.Name < y.Kind+" "+y.Name
	})
	return a.out, nil
}

// apart lists what would be declared under a name that another has: rules of
// two buses, schedules of two groups.
func (a *adoption) apart() {
	kept := a.out.Drafts[:0]
	for _, d := range a.out.Drafts {
		if len(kept) > 0 && kept[len(kept)-1].Ref() == d.Ref() {
			a.leave(d.Kind, d.Name, "another of this name is declared, and a name means one (%s)", d.Addresses["arn"])
			continue
		}
		kept = append(kept, d)
	}
	a.out.Drafts = kept
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// need asks for what an ARN names, once, if it is of this account and region
// and of a kind that can be drafted.
func (a *adoption) need(arn string) {
	if !a.here(arn) {
		return
	}
	for _, k := range a.p.order {
		if d, ok := k.kind.(drafted); ok {
			if name, ok := d.namedIn(arn); ok {
				a.ask(wanted{k.name, name})
				return
			}
		}
	}
}

func (a *adoption) ask(w wanted) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asked[w] {
		a.asked[w] = true
		a.queue = append(a.queue, w)
	}
}

func (a *adoption) askAll(kind string, names []string, err error) {
	if err != nil && !isUnknownOperation(err) {
		a.skip(providers.Skipped{Kind: kind, Name: "all", Why: "could not be listed: " + classify(err).Error(), Failed: true})
	}
	for _, name := range names {
		a.ask(wanted{kind, name})
	}
}

// everything asks for all there is of every kind.
func (a *adoption) everything(ctx context.Context) {
	parallel(a.p.o.Parallel, a.p.order, func(k namedKind) {
		d, ok := k.kind.(drafted)
		if !ok {
			return
		}
		names, err := d.every(ctx, a)
		a.askAll(k.name, names, err)
	})
}

// follow reads everything asked for, and what that asks for in turn.
func (a *adoption) follow(ctx context.Context) {
	for {
		a.mu.Lock()
		batch := a.queue
		a.queue = nil
		a.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		parallel(a.p.o.Parallel, batch, func(w wanted) { a.resource(ctx, w) })
	}
}

func (a *adoption) resource(ctx context.Context, w wanted) {
	for _, k := range a.p.order {
		if k.name != w.kind {
			continue
		}
		draft, err := k.kind.(drafted).draft(ctx, a, w.name)
		switch {
		case err != nil:
			a.skip(providers.Skipped{Kind: w.kind, Name: w.name, Why: "could not be read: " + err.Error(), Failed: true})
		case draft != nil:
			draft.Kind = w.kind
			a.add(*draft)
		}
		return
	}
}

// here: the ARN is of this region (or of none, as IAM's) and of this account.
func (a *adoption) here(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return false
	}
	account := a.account()
	return (parts[3] == "" || parts[3] == a.p.o.Config.Region) && (parts[4] == "" || account == "" || parts[4] == account)
}

// account is the declared one, or that of the functions listed.
func (a *adoption) account() string {
	if a.p.o.Target.Account != "" {
		return a.p.o.Target.Account
	}
	for _, c := range a.sweep.bulk {
		if parts := strings.SplitN(awssdk.ToString(c.FunctionArn), ":", 6); len(parts) == 6 {
			return parts[4]
		}
	}
	return ""
}

func (a *adoption) add(d manifest.Draft) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out.Drafts = append(a.out.Drafts, d)
}

// leave lists a thing that a manifest could not say as it is.
func (a *adoption) leave(kind, name, why string, args ...any) {
	a.skip(providers.Skipped{Kind: kind, Name: name, Why: fmt.Sprintf(why, args...)})
}

func (a *adoption) skip(s providers.Skipped) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.out.Skipped = append(a.out.Skipped, s)
}

// passes tells whether a thing with these tags is to be drafted, and notes it
// as skipped when not. Nothing that is owned already is adopted.
func (a *adoption) passes(kind, name string, tags map[string]string) bool {
	if o := ownerOf(tags); o != (providers.Owner{}) {
		a.skip(providers.Skipped{Kind: kind, Name: name, Why: fmt.Sprintf("declared already by pipeline %s, environment %s, as %s", o.Pipeline, o.Environment, o.Resource)})
		return false
	}
	made := makerOf(name, tags)
	switch {
	case made.service != "":
		a.leave(kind, name, "made by %s for itself", made.service)
		return false
	case belongings.to(kind, name) != "":
		a.leave(kind, name, "%s", belongings.to(kind, name))
		return false
	case made.tool != "" && !a.taken(made.tool):
		a.skip(providers.Skipped{Kind: kind, Name: name, Tool: made.tool, Why: "made by " + made.tool + made.detail() + ", which would undo what is done here"})
		return false
	}
	return true
}

func (a *adoption) taken(tool string) bool {
	return slices.Contains(a.what.Tools, tool) || slices.Contains(a.what.Tools, "all")
}

// started is a draft of what the tags allow to draft.
func started(name, arn string, tags map[string]string) *manifest.Draft {
	made := makerOf(name, tags)
	return &manifest.Draft{
		Name: name, Physical: name, Adopt: true, Tool: made.tool, Group: made.group, Addresses: map[string]string{"arn": arn},
	}
}

// ownTags are the tags a manifest may declare.
func ownTags(d *manifest.Draft, tags map[string]string) map[string]string {
	out := map[string]string{}
	for _, k := range sortedKeys(tags) {
		lower := strings.ToLower(k)
		switch {
		case strings.HasPrefix(lower, "aws:"), strings.HasPrefix(lower, "mooring:"):
		case len(out) == mostTags:
			d.Leave("tag %s: a manifest declares at most %d, and it stays as it is", k, mostTags)
		default:
			out[k] = tags[k]
		}
	}
	return out
}

// mostTags leaves room for the ownership tags.
const mostTags = 46
