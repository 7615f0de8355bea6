package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mooring.dev/sources/manifest"
)

// explaining makes what cobra says of wrong arguments say what is right too.
func explaining(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		explaining(sub)
	}
	switch {
	case !cmd.HasParent():
		return
	case cmd.HasSubCommands() && !cmd.HasAvailableLocalFlags(): // a name for those below it
		cmd.SuggestionsMinimumDistance = 2
		cmd.DisableFlagsInUseLine = true
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return commandMistake(cmd, args[0])
		}
		return
	case cmd.Args == nil:
		return
	}
	takes := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := takes(cmd, args)
		switch want := strings.TrimSpace(strings.TrimPrefix(cmd.Use, cmd.Name())); {
		case err == nil:
			return nil
		case want == "":
			return fmt.Errorf("%s: takes no %q; %s", name(cmd), args[0], meantFlag(cmd, args[0]))
		default:
			return fmt.Errorf("%s: %w; want %s; see `%s --help`", name(cmd), err, want, cmd.CommandPath())
		}
	}
}

// meantFlag is the flag that a bare word was probably meant for, or where they
// are listed.
func meantFlag(cmd *cobra.Command, word string) string {
	_, err := os.Stat(word)
	place := err == nil || strings.Contains(word, "://") || strings.HasSuffix(word, ".git")
	for _, flag := range []struct {
		name string
		fits bool
	}{{"repo", place}, {"environment", !place}} {
		if flag.fits && cmd.Flags().Lookup(flag.name) != nil {
			return fmt.Sprintf("did you mean --%s %s?", flag.name, word)
		}
	}
	return fmt.Sprintf("see `%s --help`", cmd.CommandPath())
}

// name is a command as people type it, without the program.
func name(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.CommandPath(), "mooring ") }

func commandMistake(cmd *cobra.Command, given string) error {
	if near := cmd.SuggestionsFor(given); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s?", given, strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q; `%s --help` lists them", given, cmd.CommandPath())
}

// flagMistake says what a flag wants, and which one may have been meant.
func flagMistake(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		err = fmt.Errorf("--%s %q: want %s", f.Name, value.GetValue(), kindOfValue(f.Value.Type()))
	case errors.As(err, &unknown):
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
		err = fmt.Errorf("%w%s", err, manifest.DidYouMean("--"+unknown.GetSpecifiedName(), known))
	}
	return fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())
}

// kindOfValue is a type of flags in words.
func kindOfValue(kind string) string {
	switch kind {
	case "int", "int64", "uint":
		return "a whole number"
	case "float64":
		return "a number"
	case "duration":
		return "a duration, like 30s, 10m or 2h"
	case "bool":
		return "true or false"
	}
	return "a " + kind
}

// outputForm looks at -o before anything is asked or done.
func outputForm(cmd *cobra.Command) error {
	f := cmd.Flags().Lookup("output")
	if f == nil || f.Value.String() == "" || slices.Contains([]string{"table", "json", "yaml"}, f.Value.String()) {
		return nil
	}
	return fmt.Errorf("-o %q: want table, json or yaml", f.Value.String())
}
