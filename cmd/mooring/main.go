// Command mooring keeps serverless systems where Git says they should be.
//
// It is thin: one file per subcommand, and the only place that lists concrete
// sources, providers, stores and receivers (wiring.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mooring.dev/policy/rego/worker"
)

// Exit codes, stable.
const (
	exitDone    = 0
	exitError   = 1
	exitChanges = 2
	exitHeld    = 3
	exitDenied  = 4
)

// exit ends the program with a code that is no failure to run: the answer
// itself.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func main() { os.Exit(Main()) }

// Main runs the command line and returns its exit code. Tests run it inside
// their own binary.
func Main() int {
	if len(os.Args) > 1 && os.Args[1] == worker.Command {
		return worker.Main(os.Args[2:]) // a part of another mooring, not for people
	}
	cobra.EnableCommandSorting = false // help lists commands in the order in which they are wanted
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:])
}

func execute(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var answer exit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &answer):
		return answer.code
	}
	fmt.Fprintln(root.ErrOrStderr(), "mooring:", err)
	var no *refusal
	if errors.As(err, &no) && no.code == http.StatusForbidden {
		return exitDenied // to whoever asks, by their role
	}
	return exitError
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "mooring",
		Short: "keep serverless systems where Git says they should be",
		Long: `Mooring watches a Git repository of environment state (one branch per
environment), judges each commit with Rego policies, detects and reverts manual
drift, and moves functions to the committed versions in judged steps.

Exit codes: 0 done or nothing to do, 1 error, 2 changes or drift, 3 held, 4 denied.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		return errors.Join(fromEnvironment(cmd.Flags(), os.LookupEnv), outputForm(cmd))
	}
	root.Args = cobra.ArbitraryArgs // so that RunE can say what to do
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return commandMistake(cmd, args[0])
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(flagMistake)
	grouped(root, "To begin:", demoCommand(), sandboxCommand(), initCommand(), importCommand(), validateCommand(), doctorCommand(), runCommand())
	grouped(root, "To look:", statusCommand(), planCommand(), driftCommand(), rolloutCommand(), historyCommand(), eventsCommand(), explainCommand(), auditCommand(), renderCommand())
	grouped(root, "To act, through the daemon:", promoteCommand(), approveCommand(), rejectCommand(), checkCommand(), rollbackCommand(),
		holdCommand(), suspendCommand(), resumeCommand(), syncCommand(), retryCommand(), destroyCommand())
	grouped(root, "Rules, rights and proof:", policyCommand(), iamCommand(), tokenCommand(), evidenceCommand())
	grouped(root, "Around it:", alertCommand(), journalCommand(), exportCommand(), schemaCommand(), manCommand(), versionCommand())
	completing(root)
	explaining(root)
	return root
}

// grouped adds commands below a heading of the help, in the order in which
// they are wanted.
func grouped(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, c := range commands {
		c.GroupID = title
		root.AddCommand(c)
	}
	root.SetHelpCommandGroupID(title)
	root.SetCompletionCommandGroupID(title)
}

// fromEnvironment sets every flag that was not given from MOORING_ and its
// name in capitals: --git-token-file from MOORING_GIT_TOKEN_FILE.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var faults []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "MOORING_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookup(name)
		if f.Changed || !ok || value == "" || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("%s=%q: %w", name, value, err))
		}
	})
	return errors.Join(faults...)
}
