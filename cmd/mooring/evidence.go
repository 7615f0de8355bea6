package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/policy"
	"mooring.dev/reconciler/web"
)

func evidenceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "evidence", Short: "signed statements about code: test results, provenance", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(evidenceAddCommand())
	return cmd
}

func evidenceAddCommand() *cobra.Command {
	var c client
	var output string
	cmd := &cobra.Command{
		Use:     "add FILE",
		Short:   "give the daemon an in-toto statement in a signed DSSE envelope; - reads it from standard input",
		Example: "  mooring evidence add unit.intoto.jsonl",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readFileOr(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			var said []web.Statement
			if err := c.post(cmd.Context(), "/api/v1/evidence", text, &said); err != nil {
				return fmt.Errorf("evidence add %s: %w", args[0], err)
			}
			return print(cmd, output, said, func(w io.Writer) {
				row(w, "STATEMENT", "KIND", "NAME", "SIGNER", "PASSED")
				for _, s := range said {
					row(w, short(s.Digest), s.Kind, s.Name, s.Signer, s.Passed)
				}
			})
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

// readFileOr reads a file, or for "-" what comes in.
func readFileOr(in io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(in)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read a statement: %w", err)
	}
	return text, nil
}

// evidenceIn is what policy was told of signed statements, as far as the record
// of the decision kept it.
func evidenceIn(input json.RawMessage) []policy.Evidence {
	told := struct{ Evidence []policy.Evidence }{}
	if json.Unmarshal(input, &told) != nil || told.Evidence == nil {
		return []policy.Evidence{}
	}
	return told.Evidence
}

// evidenceText is one line of what somebody says.
func evidenceText(w io.Writer, e policy.Evidence) {
	if !e.Verified {
		fmt.Fprintf(w, "evidence %s proves nothing: %s\n", e.Source, e.Why)
		return
	}
	said := e.Kind
	if e.Name != "" {
		said += " " + e.Name
	}
	if e.Result != "" {
		said += " " + e.Result
	}
	if !e.SubjectMatch {
		said += ", about a part only"
	}
	digests := make([]string, len(e.Digests))
	for i, d := range e.Digests {
		digests[i] = short(d)
	}
	fmt.Fprintf(w, "evidence of %s: %s (%s %s)\n", e.Signer, said, e.Source, strings.Join(digests, " "))
}
