package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/web"
)

// destroying is one run of `mooring destroy`.
type destroying struct {
	c      client
	r      web.DestroyRequest
	output string
	dry    bool
}

func destroyCommand() *cobra.Command {
	var d destroying
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "remove what is left of an environment that was taken out of mooring.yaml",
		Long: `Shows what is left of an environment that is no longer in mooring.yaml, asks
for its name, and has the daemon remove it: what invokes first, and what is used
after what uses it. What does not carry the environment's tags stays, and what
holds data: tables, buckets and log groups unless they were declared with
deletionPolicy: Delete, and queues unless --data is given. It takes the role admin.`,
		Example: `  mooring destroy --environment preview --dry-run
  mooring destroy --environment preview --reason "moved to another account"
  mooring destroy --environment preview --data --confirm preview --reason "moved to another account"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd) },
	}
	d.c.flags(cmd)
	outputFlag(cmd, &d.output)
	cmd.Flags().StringVar(&d.r.Environment, "environment", "", "name of the environment")
	cmd.Flags().StringVar(&d.r.Reason, "reason", "", "why; it is recorded and shown")
	cmd.Flags().StringVar(&d.r.Confirm, "confirm", "", "the environment's name once more, where nobody can be asked")
	cmd.Flags().BoolVar(&d.r.Data, "data", false, "remove queues too, and what holds data and was declared with deletionPolicy: Delete")
	cmd.Flags().BoolVar(&d.dry, "dry-run", false, "only show what would be removed; 2 when something would")
	return cmd
}

func (d *destroying) run(cmd *cobra.Command) error {
	switch {
	case d.r.Environment == "":
		return errors.New("destroy: name the environment with --environment")
	case d.r.Reason == "" && !d.dry:
		return errors.New("destroy: say why with --reason, or only look with --dry-run")
	case d.r.Confirm != "" && d.r.Confirm != d.r.Environment:
		return fmt.Errorf("destroy: --confirm %s is not the environment %s; nothing is removed", d.r.Confirm, d.r.Environment)
	}
	path := "/api/v1/environments/" + d.r.Environment + "/destroy"
	var left web.Destruction
	if err := d.c.get(cmd.Context(), fmt.Sprintf("%s?data=%t", path, d.r.Data), &left); err != nil {
		return err
	}
	begins := !d.dry && (len(left.Deletes) > 0 || len(left.Unknown) > 0)
	if !begins || d.output == "table" || d.output == "" {
		if err := print(cmd, d.output, left, func(w io.Writer) { destructionTable(w, left) }); err != nil {
			return err
		}
	}
	switch {
	case d.dry && len(left.Deletes) > 0:
		return exit{exitChanges}
	case !begins:
		return nil
	}
	if err := d.confirm(cmd); err != nil {
		return err
	}
	if err := d.c.post(cmd.Context(), path, d.r, nil); err != nil {
		return err
	}
	return taken{Act: cmd.Name(), Environment: d.r.Environment}.print(cmd, d.output)
}

// confirm has somebody type the environment's name, unless it was given. Where
// nobody can be asked, and where another name is typed, it is held.
func (d *destroying) confirm(cmd *cobra.Command) error {
	if d.r.Confirm != "" {
		return nil
	}
	in, file := cmd.InOrStdin().(*os.File)
	if !file || !isTerminal(in) {
		fmt.Fprintf(cmd.ErrOrStderr(), "mooring: destroy: nothing is removed: nobody can be asked here; say so with --confirm %s\n", d.r.Environment)
		return exit{exitHeld}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This cannot be undone. Type the environment's name to remove it: ")
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("destroy: read the answer: %w", err)
	}
	if d.r.Confirm = strings.TrimSpace(line); d.r.Confirm != d.r.Environment {
		fmt.Fprintln(cmd.ErrOrStderr(), "mooring: destroy: that is not its name; nothing is removed")
		return exit{exitHeld}
	}
	return nil
}

func destructionTable(w io.Writer, left web.Destruction) {
	data := 0
	for _, g := range left.Deletes {
		if g.Data {
			data++
		}
	}
	fmt.Fprintf(w, "%s: %s, %d of them with what cannot be made again, and %d kept\n", left.Environment, counted(len(left.Deletes), "resource")+" to remove", data, len(left.Keeps))
	if len(left.Deletes)+len(left.Keeps)+len(left.Unknown) > 0 {
		row(w, "WHAT", "RESOURCE", "NAME", "WHY")
	}
	for _, g := range left.Deletes {
		switch {
		case g.With != "":
			row(w, "removed", g.Resource, g.Name, "with "+g.With)
		case g.Data:
			row(w, "removed", g.Resource, g.Name, "with what it holds")
		default:
			row(w, "removed", g.Resource, g.Name, "")
		}
	}
	for _, k := range left.Keeps {
		why := k.Why
		if k.Data {
			why += "; --data removes it too"
		}
		row(w, "kept", k.Resource, k.Name, why)
	}
	for _, u := range left.Unknown {
		row(w, "unknown", u.Path, "", u.Why)
	}
	for _, h := range left.Holds {
		row(w, "held", h.Resource, h.ID, h.Owner+": "+h.Reason)
	}
	if left.Begun {
		fmt.Fprintln(w, "It is being removed.")
	}
}
