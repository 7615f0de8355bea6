package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/reconciler/web"
)

func explainCommand() *cobra.Command {
	var p policyFolder
	var from records
	cmd := &cobra.Command{
		Use:   "explain DECISION | RESOURCE",
		Short: "why a decision came out as it did, or why a resource is as it is",
		Long: `Of a decision (its id): the outcome, each package's findings with what is needed
and what is there, when it is asked again, the policies' revision and the place
of the record in the chain. With the policies at hand (--repo, or the Git
repository of this folder, where they are read at the decision's own revision,
or --path) also which rule fired where, and the values it went by.

Of a resource (Kind/name): what differs, what is held, and what happened to it.`,
		Example: `  mooring explain dec_5f0c2a91d7b3e684
  mooring explain dec_5f0c2a91d7b3e684 --repo shop.git
  mooring explain Function/checkout --environment production`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.Contains(args[0], "/") {
				out, err := explainResource(cmd.Context(), &from.client, p.environment, args[0])
				if err != nil {
					return err
				}
				return print(cmd, p.output, out, out.table)
			}
			out, err := explainDecision(cmd, &p, &from, args[0])
			if err != nil {
				return err
			}
			return print(cmd, p.output, out, out.table)
		},
	}
	p.reading.flags(cmd)
	from.flags(cmd)
	return cmd
}

// decisionRecord is what is read of a record.
type decisionRecord struct {
	ID        string            `json:"decision_id"`
	Timestamp time.Time         `json:"timestamp"`
	Labels    map[string]string `json:"labels"`
	Path      string            `json:"path"`
	Bundles   map[string]struct {
		Revision string `json:"revision"`
	} `json:"bundles"`
	Input       json.RawMessage `json:"input"`
	InputDigest string          `json:"input_digest"`
	Result      policy.Decision `json:"result"`
	Packages    json.RawMessage `json:"packages"`
	Engine      string          `json:"engine"`
	Prev        string          `json:"prev"`
	Erased      []string        `json:"erased"`
	Masked      []string        `json:"masked"`
	People      *peoplesWord    `json:"people"`
}

// peoplesWord is what people made of a decision.
type peoplesWord struct {
	Outcome string   `json:"outcome"`
	By      []string `json:"by"`
}

func readRecord(line []byte) (decisionRecord, error) {
	var r decisionRecord
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("read decision record: %w", err)
	}
	return r, nil
}

// explainedDecision is a decision with all that is known of how it came about.
type explainedDecision struct {
	Decision    string            `json:"decision"`
	Environment string            `json:"environment"`
	Point       policy.Point      `json:"point"`
	At          time.Time         `json:"at"`
	Outcome     policy.Outcome    `json:"outcome"`
	People      *peoplesWord      `json:"people,omitempty"`
	RecheckAt   string            `json:"recheck_at,omitempty"`
	Revision    string            `json:"revision"`
	Findings    []policy.Finding  `json:"findings"`
	Evidence    []policy.Evidence `json:"evidence"` // that policy was told of
	Packages    json.RawMessage   `json:"packages"`
	Rules       []rego.Explained  `json:"rules"`
	InputDigest string            `json:"input_digest"`
	Hash        string            `json:"hash"`
	Prev        string            `json:"prev"`

	result policy.Decision
	notice string // why no rule is told
}

func explainDecision(cmd *cobra.Command, p *policyFolder, from *records, id string) (explainedDecision, error) {
	line, hash, err := from.one(cmd, id)
	if err != nil {
		return explainedDecision{}, err
	}
	r, err := readRecord(line)
	if err != nil {
		return explainedDecision{}, err
	}
	out := explainedDecision{
		Decision: r.ID, Environment: r.Labels["environment"], Point: r.Result.Point, At: r.Timestamp, Outcome: r.Result.Outcome, People: r.People,
		Revision: r.Bundles["policies"].Revision, Findings: r.Result.Findings, Packages: r.Packages, Rules: []rego.Explained{},
		InputDigest: r.InputDigest, Hash: hash, Prev: r.Prev, result: r.Result, Evidence: evidenceIn(r.Input),
	}
	if r.Result.RecheckNS > 0 {
		out.RecheckAt = time.Unix(0, r.Result.RecheckNS).UTC().Format(time.RFC3339Nano)
	}
	guessed := p.repo == "" && p.path == ""
	if guessed {
		p.repo = repositoryHere()
	}
	if p.repo == "" && p.path == "" {
		out.notice = fmt.Sprintf("which rule fired, and where (file:line), is told with the policies at hand: run this within a clone of the repository of state, or name it with --repo PATH_OR_URL; the policies are read there as they were then, at %s", short(out.Revision))
		return out, nil
	}
	rules, err := explainAgain(cmd.Context(), p, r, out.Revision)
	if err != nil && guessed {
		out.notice = "the repository of this folder does not tell which rule fired; name the right one with --repo: " + err.Error()
		return out, nil
	}
	if err != nil {
		out.notice = "which rule fired is not known: " + err.Error()
		return out, nil
	}
	out.Rules = rules
	return out, nil
}

// repositoryHere is the Git repository that the working folder is in: who asks
// from within it need not name it. "" outside of one.
func repositoryHere() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// explainAgain decides once more with the policies of the time.
func explainAgain(ctx context.Context, p *policyFolder, r decisionRecord, revision string) ([]rego.Explained, error) {
	if lost := lostOf(r); lost != "" {
		return nil, errors.New(lost)
	}
	tree, err := p.at(ctx, revision)
	if err != nil {
		return nil, err
	}
	defer tree.done()
	e, err := tree.evaluator()
	if err != nil {
		return nil, err
	}
	return e.Explain(ctx, r.Result.Point, r.Input)
}

// lostOf says why a decision cannot be made again.
func lostOf(r decisionRecord) string {
	switch {
	case len(r.Erased)+len(r.Masked) > 0:
		return "of its input was erased or masked: " + strings.Join(append(r.Erased, r.Masked...), ", ")
	case len(r.Input) == 0 || string(r.Input) == "null":
		return "its input was not kept"
	}
	return ""
}

func (d explainedDecision) table(w io.Writer) {
	fmt.Fprintf(w, "decision %s about %s at %s\n", d.Decision, cmp.Or(d.Environment, "the pipeline as a whole"), d.At.UTC().Format(time.RFC3339))
	decisionText(w, d.result)
	if d.People != nil {
		fmt.Fprintf(w, "%s by the word of %s\n", d.People.Outcome, strings.Join(d.People.By, ", "))
	}
	for _, e := range d.Evidence {
		evidenceText(w, e)
	}
	for _, x := range d.Rules {
		explainedText(w, x)
	}
	fmt.Fprintf(w, "\npolicies at %s; input %s\nrecord %s\nafter  %s\n", d.Revision, d.InputDigest, d.Hash, d.Prev)
	if d.notice != "" {
		fmt.Fprintln(w, d.notice)
	}
}

// explainedResource is what is known of one resource.
type explainedResource struct {
	Resource     string              `json:"resource"`
	Environments []resourceSituation `json:"environments"`
}

type resourceSituation struct {
	Environment string           `json:"environment"`
	State       string           `json:"state"` // of the environment
	Drift       []web.DriftItem  `json:"drift"`
	Holds       []web.HoldStatus `json:"holds"`
	History     []web.Event      `json:"history"` // newest first
	declared    bool             // or not looked at yet
}

// maxHistory is how many lines of a resource's history are told.
const maxHistory = 10

func explainResource(ctx context.Context, c *client, environment, ref string) (explainedResource, error) {
	out := explainedResource{Resource: ref, Environments: []resourceSituation{}}
	var s web.Status
	if err := c.get(ctx, "/api/v1/status", &s); err != nil {
		return out, err
	}
	for _, e := range s.Environments {
		if environment != "" && e.Name != environment {
			continue
		}
		at := resourceSituation{Environment: e.Name, State: e.State, Drift: []web.DriftItem{}, Holds: []web.HoldStatus{}, History: []web.Event{}}
		for _, h := range e.Holds {
			if h.Resource == ref || h.Resource == "" {
				at.Holds = append(at.Holds, h)
			}
		}
		if err := at.look(ctx, c, ref); err != nil {
			return out, err
		}
		out.Environments = append(out.Environments, at)
	}
	if len(out.Environments) > 0 && !slices.ContainsFunc(out.Environments, resourceSituation.known) {
		return out, fmt.Errorf("%s is declared in no environment, and nothing was seen of it; `mooring render` lists the resources", ref)
	}
	if len(out.Environments) == 0 {
		return out, fmt.Errorf("environment %q is not in this pipeline; `mooring status` lists those there are", environment)
	}
	return out, nil
}

// known: something can be said about the resource there.
func (at resourceSituation) known() bool {
	return at.declared || len(at.Drift)+len(at.History) > 0
}

func (at *resourceSituation) look(ctx context.Context, c *client, ref string) error {
	var d web.Drift
	if err := c.get(ctx, "/api/v1/environments/"+at.Environment+"/drift", &d); err != nil {
		return err
	}
	for _, item := range d.Items {
		if item.Resource == ref {
			at.Drift = append(at.Drift, item)
		}
	}
	var page web.ResourcePage
	var refused *refusal
	if err := c.get(ctx, "/api/v1/environments/"+at.Environment+"/resources?"+url.Values{"q": {ref}}.Encode(), &page); err != nil && !errors.As(err, &refused) {
		return err
	}
	at.declared = refused != nil || slices.ContainsFunc(page.Resources, func(r web.ResourceStatus) bool { return r.Resource == ref })
	var events []web.Event
	if err := c.get(ctx, "/api/v1/history?limit=1000&environment="+at.Environment, &events); err != nil {
		return err
	}
	for _, e := range events {
		if e.Resource == ref && len(at.History) < maxHistory {
			at.History = append(at.History, e)
		}
	}
	return nil
}

func (r explainedResource) table(w io.Writer) {
	for _, e := range r.Environments {
		fmt.Fprintf(w, "%s in %s (%s)\n", r.Resource, e.Environment, e.State)
		for _, h := range e.Holds {
			row(w, "  held", h.ID, h.Kind, h.Reason)
		}
		for _, i := range e.Drift {
			row(w, "  differs", i.ID, i.Path, jsonText(i.Declared)+" → "+jsonText(i.Live), answered(i), i.Reason)
		}
		for _, ev := range e.History {
			row(w, "  "+ev.At.Local().Format("2006-01-02 15:04:05"), ev.Kind, ev.Text)
		}
	}
}
