package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/access"
)

// tokensFile holds the digests of personal tokens in a state folder.
const tokensFile = "tokens.json"

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "personal tokens: who may do what, by proof",
		Long: `A personal token proves who asks: approvals in protected environments need one.
The tokens of a daemon are kept, as digests, in its state folder; a running
daemon reads them anew. Whoever may write that folder may make tokens.

Roles: viewer sees, approver also approves and rejects, operator also holds,
resumes, rolls back, promotes and answers drift (and does not approve), admin
does everything; each for all environments, or for some (approver:production).`,
		Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenCreateCommand(), tokenListCommand(), tokenRevokeCommand())
	return cmd
}

func tokenCreateCommand() *cobra.Command {
	var state, valid string
	var roles []string
	var t access.Token
	cmd := &cobra.Command{
		Use: "create NAME", Short: "make a token for a person or a robot and print it, once",
		Example: "  mooring token create ann --role approver:production --email ann@example.com --for 90d\n  MOORING_TOKEN=$(mooring token create ci --role viewer --for 30d)",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lasts, err := days(valid)
			if err != nil {
				return fmt.Errorf("--for: %w", err)
			}
			for _, text := range roles {
				g, err := access.ParseGrant(text)
				if err != nil {
					return fmt.Errorf("--role: %w", err)
				}
				t.Grants = append(t.Grants, g)
			}
			random := make([]byte, 32)
			if _, err := rand.Read(random); err != nil {
				return fmt.Errorf("make a token: %w", err)
			}
			t.Name, t.Created = args[0], time.Now().UTC().Truncate(time.Second)
			t.Expires = t.Created.Add(lasts)
			var secret string
			err = changeTokens(state, func(ts access.Tokens) (out access.Tokens, err error) {
				out, secret, err = ts.Issue(t, random)
				return out, err
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "shown once; use it as MOORING_TOKEN:")
			fmt.Fprintln(cmd.OutOrStdout(), secret)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", defaultState(), "state folder of the daemon")
	f.StringSliceVar(&roles, "role", nil, "viewer, approver, operator or admin, with :ENVIRONMENT to narrow it; may be given again")
	f.StringSliceVar(&t.Emails, "email", nil, "address in this person's commits, so that an author is recognised; may be given again")
	f.StringSliceVar(&t.Teams, "team", nil, "team policy is told; may be given again")
	f.StringVar(&valid, "for", "90d", "how long it is good for: 12h, 90d")
	return cmd
}

// days reads a duration that may be in days.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		d, err := time.ParseDuration(n + "h")
		if err != nil {
			return 0, fmt.Errorf("%q: want a number of days (90d) or hours (12h)", text)
		}
		return 24 * d, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q: want a number of days (90d) or hours (12h)", text)
	}
	return d, nil
}

func tokenListCommand() *cobra.Command {
	var state, output string
	cmd := &cobra.Command{
		Use: "list", Short: "the tokens there are; never the tokens themselves", Example: "  mooring token list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ts, err := readTokens(state)
			if err != nil {
				return err
			}
			type view struct {
				ID      string    `json:"id"`
				Name    string    `json:"name"`
				State   string    `json:"state"` // good | expired | revoked
				Roles   []string  `json:"roles"`
				Emails  []string  `json:"emails"`
				Teams   []string  `json:"teams"`
				Expires time.Time `json:"expires"`
			}
			out := []view{}
			for _, t := range ts {
				v := view{ID: t.ID, Name: t.Name, State: "good", Roles: []string{}, Emails: nonNilStrings(t.Emails), Teams: nonNilStrings(t.Teams), Expires: t.Expires}
				switch {
				case !t.Revoked.IsZero():
					v.State = "revoked"
				case !t.Good(time.Now()):
					v.State = "expired"
				}
				for _, g := range t.Grants {
					v.Roles = append(v.Roles, g.String())
				}
				out = append(out, v)
			}
			return print(cmd, output, out, func(w io.Writer) {
				row(w, "ID", "NAME", "STATE", "ROLES", "EXPIRES")
				for _, v := range out {
					row(w, v.ID, v.Name, v.State, strings.Join(v.Roles, " "), v.Expires.Local().Format("2006-01-02 15:04"))
				}
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", defaultState(), "state folder of the daemon")
	outputFlag(cmd, &output)
	return cmd
}

func nonNilStrings(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func tokenRevokeCommand() *cobra.Command {
	var state string
	cmd := &cobra.Command{
		Use: "revoke ID|NAME", Short: "take back a token, or all of a name; at once", Example: "  mooring token revoke ann", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var n int
			err := changeTokens(state, func(ts access.Tokens) (out access.Tokens, err error) {
				if out, n = ts.Revoke(args[0], time.Now().UTC()); n == 0 {
					return ts, fmt.Errorf("no good token has the id or name %q; `mooring token list` shows them", args[0])
				}
				return out, nil
			})
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%d revoked\n", n)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&state, "state", defaultState(), "state folder of the daemon")
	return cmd
}

// readTokens of a state folder; none where there is no file.
func readTokens(state string) (access.Tokens, error) {
	text, err := os.ReadFile(filepath.Join(state, tokensFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the tokens: %w", err)
	}
	return access.ParseTokens(text)
}

// lockWait is how long another command may take over the tokens.
const lockWait = 5 * time.Second

// changeTokens replaces the file as a whole, readable by its owner only. The
// new file, made by one command at a time, is the lock: of two that change at
// once neither loses what the other wrote.
func changeTokens(state string, change func(access.Tokens) (access.Tokens, error)) error {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	path := filepath.Join(state, tokensFile)
	file, err := claim(path + ".new")
	if err != nil {
		return err
	}
	text, err := changed(state, change)
	if err == nil {
		_, err = file.Write(text)
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

func changed(state string, change func(access.Tokens) (access.Tokens, error)) ([]byte, error) {
	ts, err := readTokens(state)
	if err != nil {
		return nil, err
	}
	if ts, err = change(ts); err != nil {
		return nil, err
	}
	return ts.Text()
}

// claim makes a file that must not be there, waiting a while for its going.
func claim(path string) (*os.File, error) {
	for until := time.Now().Add(lockWait); ; time.Sleep(50 * time.Millisecond) {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("write the tokens: %w", err)
		case time.Now().After(until):
			return nil, fmt.Errorf("write the tokens: another command is at it; if none is, remove %s, which one left behind", path)
		}
	}
}
