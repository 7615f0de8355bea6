package main

import (
	"cmp"
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completionWithin bounds what somebody waits who presses Tab.
const completionWithin = time.Second

// names are candidates, each with a tab and a description where one helps.
type names func(a *asking, ctx context.Context) []string

// asking is a Tab: which command, what stands on the line, and whom to ask.
type asking struct {
	client
	cmd         *cobra.Command
	args        []string
	environment string
	state       string // the folder that the line or the environment names
}

// arguments are what the commands take that take names.
var arguments = map[string]names{
	"mooring hold":         (*asking).resources,
	"mooring resume":       (*asking).holds,
	"mooring explain":      (*asking).explainable,
	"mooring rollout show": (*asking).releases,
	"mooring alert test":   (*asking).receivers,
	"mooring check pass":   (*asking).checks,
	"mooring check fail":   (*asking).checks,
	"mooring schema":       (*asking).kinds,
	"mooring drift revert": (*asking).differences,
	"mooring drift accept": (*asking).differences,
	"mooring token revoke": (*asking).tokens,
}

// values are what flags take, by the flag's name.
var values = map[string]names{
	"environment": (*asking).environments,
	"to":          (*asking).releases,
	"content":     (*asking).contents,
	"point":       (*asking).points,
	"output":      func(*asking, context.Context) []string { return []string{"table", "json", "yaml"} },
	"log-format":  func(*asking, context.Context) []string { return []string{"auto", "console", "json"} },
}

// completing lets every command complete the names it takes. Whoever cannot be
// asked in time is not waited for, and nothing is said about it.
func completing(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		completing(cmd)
	}
	cmd := root
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if find := values[f.Name]; find != nil && (f.Name != "to" || cmd.Name() == "rollback") {
			// It is registered once for each flag: there is no error to expect.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, completer(find))
		}
	})
	switch find := arguments[cmd.CommandPath()]; {
	case find != nil:
		cmd.ValidArgsFunction = argument(find)
	case !strings.Contains(cmd.Use, " ") && !cmd.HasSubCommands():
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
}

// completer asks for names.
func completer(find names) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionWithin)
		defer cancel()
		found := make(chan []string, 1)
		go func() { found <- find(askingOf(cmd, args), ctx) }()
		select {
		case all := <-found:
			return begins(all, begun), cobra.ShellCompDirectiveNoFileComp
		case <-ctx.Done():
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// argument asks for names as long as the command takes one more.
func argument(find names) cobra.CompletionFunc {
	ask := completer(find)
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if cmd.ValidateArgs(append(slices.Clone(args), begun)) != nil && len(args) > 0 && cmd.ValidateArgs(args) == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return ask(cmd, args, begun)
	}
}

// begins are the candidates that go on from what is typed, each once. Of a
// list that is separated by commas it is the last that is typed.
func begins(all []string, begun string) []string {
	before := begun[:strings.LastIndex(begun, ",")+1]
	var out []string
	for _, c := range all {
		if c = before + c; strings.HasPrefix(c, begun) && !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// askingOf is a Tab at a command, whose flags so far are known.
func askingOf(cmd *cobra.Command, args []string) *asking {
	_ = fromEnvironment(cmd.Flags(), os.LookupEnv) // a wrong one is told when the command runs
	a := &asking{cmd: cmd, args: args, client: client{server: cmp.Or(os.Getenv("MOORING_SERVER"), defaultServer)}}
	named := os.Getenv("MOORING_SERVER") != ""
	if f := cmd.Flags().Lookup("server"); f != nil {
		a.server, named = f.Value.String(), f.Changed
	}
	if f := cmd.Flags().Lookup("insecure-server"); f != nil {
		a.inClear = f.Value.String() == "true"
	}
	state := cmp.Or(os.Getenv("MOORING_STATE"), defaultState())
	if f := cmd.Flags().Lookup("state"); f != nil {
		state = f.Value.String()
	}
	a.as(state, named)
	a.state = state
	if f := cmd.Flags().Lookup("environment"); f != nil && f.Value.Type() == "string" {
		a.environment = f.Value.String()
	}
	return a
}
