package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func manCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "man",
		Short: "write a manual page for each command",
		Long: `Writes mooring.1, mooring-run.1 and so on, a page for each command, from what
--help says.`,
		Example: "  mooring man --to /usr/local/share/man/man1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return fmt.Errorf("man: name the folder with --to, like /usr/local/share/man/man1")
			}
			if err := os.MkdirAll(to, 0o755); err != nil {
				return fmt.Errorf("man: %w", err)
			}
			pages := 0
			for _, c := range everyCommand(cmd.Root()) {
				name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
				if err := os.WriteFile(filepath.Join(to, name), []byte(manPage(c)), 0o644); err != nil {
					return fmt.Errorf("man: %w", err)
				}
				pages++
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d pages in %s\n", pages, to)
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "folder to write into; it is made where it is not there")
	return cmd
}

// everyCommand is a command and all below it that people see.
func everyCommand(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			out = append(out, everyCommand(sub)...)
		}
	}
	return out
}

// manPage is a command's manual page, in roff.
func manPage(c *cobra.Command) string {
	var b strings.Builder
	dashed := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %q 1 \"\" %q \"Mooring\"\n", strings.ToUpper(dashed), "mooring "+version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(dashed), roff(c.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	b.WriteString(".SH DESCRIPTION\n")
	for i, paragraph := range strings.Split(strings.TrimSpace(cmp.Or(c.Long, c.Short)), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		// Lines that are set apart stay lines.
		if strings.Contains("\n"+paragraph, "\n ") {
			fmt.Fprintf(&b, ".nf\n%s\n.fi\n", roff(paragraph))
		} else {
			fmt.Fprintf(&b, "%s\n", roff(paragraph))
		}
	}
	manFlags(&b, c)
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	b.WriteString(".SH ENVIRONMENT\nA flag that is not given is taken from MOORING_ and its name in capitals: \\-\\-state from MOORING_STATE.\n")
	b.WriteString(".SH EXIT STATUS\n0 done or nothing to do, 1 error, 2 changes or drift, 3 held, 4 denied.\n")
	manSeeAlso(&b, c)
	return b.String()
}

func manFlags(b *strings.Builder, c *cobra.Command) {
	if !c.HasAvailableFlags() {
		return
	}
	b.WriteString(".SH OPTIONS\n")
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != defaultState() {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(name), roff(usage))
	})
}

// manSeeAlso names the command above and those below.
func manSeeAlso(b *strings.Builder, c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, c.Parent().CommandPath())
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.CommandPath())
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf(".BR %s (1)", roff(strings.ReplaceAll(name, " ", "-")))
	}
	if len(names) > 0 {
		fmt.Fprintf(b, ".SH SEE ALSO\n%s\n", strings.Join(names, " ,\n"))
	}
}

// roff is text that roff sets as it stands.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "'", `\(aq`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line // no request
		}
	}
	return strings.Join(lines, "\n")
}
