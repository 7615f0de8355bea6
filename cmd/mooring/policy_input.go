package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/web"
)

func policyInputCommand() *cobra.Command {
	var r reading
	var from records
	var q web.InputQuery
	var decision string
	cmd := &cobra.Command{
		Use:   "input",
		Short: "the very document that policy is asked about",
		Long: `Prints the document that would be judged now at a point, made by the code that
asks: at admission the branch's head with its plan against what lives, at
promotion the content that waits, at rollout, drift and notify what goes on now.
--commit asks about another commit. Without a daemon, --repo or --path make it
alone; what only a daemon knows is not in it then. --decision prints what a past
decision was asked.`,
		Example: `  mooring policy input --point promotion --environment production > input.json
  mooring policy input --point admission --environment preview --repo shop.git
  mooring policy input --decision dec_5f0c2a91d7b3e684`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := func() (json.RawMessage, error) {
				if decision != "" {
					return from.input(cmd, decision)
				}
				ctx, done := atWork(cmd)
				defer done()
				return r.input(ctx, &from.client, q)
			}()
			if err != nil {
				return err
			}
			return print(cmd, r.output, doc, func(w io.Writer) {
				enc := json.NewEncoder(w)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				_ = enc.Encode(doc) // a table's writer keeps the error for its end
			})
		},
	}
	r.flags(cmd)
	from.flags(cmd)
	pointFlag(cmd, &q.Point)
	cmd.Flags().StringVar(&q.Commit, "commit", "", "another commit than the one that would be judged")
	cmd.Flags().StringVar(&decision, "decision", "", "the input of a past decision, by its id")
	return cmd
}

func (r *reading) input(ctx context.Context, c *client, q web.InputQuery) (doc json.RawMessage, err error) {
	p, err := pointNamed(q.Point)
	if err != nil {
		return nil, err
	}
	if p == policy.Activation {
		return nil, errors.New("policy input: at activation the policies in force are asked when others would take their place, never now; `mooring export decisions --point activation` lists what was asked, and --decision prints one")
	}
	if r.environment == "" {
		return nil, errors.New("policy input: name the environment with --environment")
	}
	if r.repo == "" && r.path == "" {
		v := url.Values{"point": {q.Point}}
		if q.Commit != "" {
			v.Set("commit", q.Commit)
		}
		return doc, c.get(ctx, "/api/v1/environments/"+r.environment+"/input?"+v.Encode(), &doc)
	}
	if p == policy.Rollout || p == policy.Notify {
		return nil, fmt.Errorf("policy input: what is asked at %s is known to a daemon only; leave out --repo and --path, and name it with --server", p)
	}
	opts, done, err := r.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return reconciler.PreviewInput(ctx, opts, r.environment, q)
}

// input is what a past decision was asked.
func (r *records) input(cmd *cobra.Command, id string) (json.RawMessage, error) {
	line, _, err := r.one(cmd, id)
	if err != nil {
		return nil, err
	}
	recorded, err := policy.ParseRecorded(line)
	if err != nil {
		return nil, err
	}
	if len(recorded.Input) == 0 {
		return nil, fmt.Errorf("decision %s: %s", id, recorded.Lost)
	}
	return recorded.Input, nil
}

// one record, and its hash.
func (r *records) one(cmd *cobra.Command, id string) (line []byte, hash string, err error) {
	for d, err := range r.all(cmd, journal.DecisionQuery{ID: id}) {
		if err != nil {
			return nil, "", err
		}
		return d.Line, d.Hash, nil
	}
	return nil, "", fmt.Errorf("no decision %s: `mooring history` and `mooring policy replay -o json` name those there are", id)
}
