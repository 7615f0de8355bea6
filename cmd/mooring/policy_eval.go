package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
)

func policyEvalCommand() *cobra.Command {
	var p policyFolder
	var point, input string
	var explain bool
	cmd := &cobra.Command{
		Use:   "eval [DIR]",
		Short: "decide about a document, and tell why",
		Long: `Decides about an input document as the daemon would, with the policies of DIR (a
working folder with policies/ in it, or a policy folder), of the folder at hand,
or of the control branch of --repo. ` + "`mooring policy input`" + ` makes such a document.
--explain tells of every rule whether it was true, with the values it went by,
and of those that were not, the expression that stopped them.

Exit codes: 0 allow, 3 hold, 4 deny, 1 error.`,
		Example: `  mooring policy eval --point promotion --input input.json
  mooring policy input --point admission --environment preview --repo shop.git | mooring policy eval --input - --repo shop.git --explain`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			doc, err := readInput(cmd.InOrStdin(), input)
			if err != nil {
				return err
			}
			at, err := pointOf(point, doc)
			if err != nil {
				return err
			}
			tree, err := p.open(cmd.Context(), args)
			if err != nil {
				return err
			}
			defer tree.done()
			e, err := tree.evaluator()
			if err != nil {
				return err
			}
			// A failure to evaluate is an answer too: closed, and told in it.
			d, _ := e.EvaluateDocument(cmd.Context(), at, doc)
			out := evaluated(d)
			if explain && d.Outcome != policy.Error {
				if out.Explain, err = e.Explain(cmd.Context(), at, doc); err != nil {
					return fmt.Errorf("explain: %w", err)
				}
			}
			if err := print(cmd, p.output, out, out.table); err != nil {
				return err
			}
			return policyExit(d.Outcome)
		},
	}
	p.flags(cmd)
	pointFlag(cmd, &point)
	cmd.Flags().StringVar(&input, "input", "", "file of the input document; - reads it from the standard input")
	cmd.Flags().BoolVar(&explain, "explain", false, "tell of every rule why it was true or not")
	return cmd
}

// maxDocument is the largest input document read.
const maxDocument = 64 << 20

func readInput(stdin io.Reader, name string) ([]byte, error) {
	from := stdin
	switch name {
	case "":
		return nil, fmt.Errorf("name the input document with --input FILE, or - for the standard input; `mooring policy input` makes one")
	case "-":
	default:
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("read the input: %w", err)
		}
		defer f.Close()
		from = f
	}
	doc, err := io.ReadAll(io.LimitReader(from, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read the input: %w", err)
	}
	if len(doc) > maxDocument {
		return nil, fmt.Errorf("read the input: larger than %d bytes", maxDocument)
	}
	return doc, nil
}

// pointOf is the point asked for, or the one the document itself names.
func pointOf(name string, doc []byte) (policy.Point, error) {
	if name != "" {
		return pointNamed(name)
	}
	var head struct {
		Point string `json:"point"`
	}
	if err := json.Unmarshal(doc, &head); err != nil {
		return "", fmt.Errorf("read the input: %w", err)
	}
	return pointNamed(head.Point)
}

// evaluatedDecision is a decision, with each package's own part in it.
type evaluatedDecision struct {
	policy.Decision
	RecheckAt string           `json:"recheck_at,omitempty"`
	Packages  json.RawMessage  `json:"packages"`
	Explain   []rego.Explained `json:"explain,omitempty"`
}

func evaluated(d policy.Decision) evaluatedDecision {
	out := evaluatedDecision{Decision: d, Packages: json.RawMessage("[]")}
	if d.RecheckNS > 0 {
		out.RecheckAt = time.Unix(0, d.RecheckNS).UTC().Format(time.RFC3339Nano)
	}
	var record struct{ Packages json.RawMessage }
	if json.Unmarshal(d.Record, &record) == nil && record.Packages != nil {
		out.Packages = record.Packages
	}
	return out
}

func (d evaluatedDecision) table(w io.Writer) {
	decisionText(w, d.Decision)
	for _, x := range d.Explain {
		explainedText(w, x)
	}
}
