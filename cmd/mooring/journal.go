package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
)

func journalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "the daemon's memory: back it up, put it back, carry it elsewhere",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(journalBackupCommand(), journalRestoreCommand(), journalCheckCommand(), journalExportCommand(), journalImportCommand())
	return cmd
}

// journalIn is the journal of a state folder.
func journalIn(cmd *cobra.Command) (string, error) {
	state, err := cmd.Flags().GetString("state")
	return filepath.Join(state, "journal.db"), err
}

func stateFlag(cmd *cobra.Command) {
	cmd.Flags().String("state", defaultState(), "folder of the journal")
}

func journalBackupCommand() *cobra.Command {
	var c client
	var output string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "copy the journal, as of one moment, while the daemon runs or not",
		Long: `Writes a whole journal to a new file, which is read back before it takes its
name. While a daemon runs it is asked for the copy, and whoever asks has to be an
admin; of one that is stopped the journal in --state is copied.`,
		Example: "  mooring journal backup journal-2026-11-29.db",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := journalIn(cmd)
			if err != nil {
				return err
			}
			sum, err := c.backup(cmd, path, args[0])
			if err != nil {
				return fmt.Errorf("back up the journal: %w", err)
			}
			return printJournal(cmd, output, args[0], sum)
		},
	}
	c.flags(cmd)
	outputFlag(cmd, &output)
	return cmd
}

// backup asks the daemon, or where none answers copies the journal it left.
func (c *client) backup(cmd *cobra.Command, path, to string) (bolt.Summary, error) {
	ctx := cmd.Context()
	sum, why := bolt.Keep(ctx, to, func(w io.Writer) error { return c.download(ctx, "/api/v1/journal", w) })
	if !absent(why) {
		return sum, why
	}
	s, err := bolt.Existing(path)
	if errors.Is(err, journal.ErrLocked) || errors.Is(err, fs.ErrNotExist) {
		return bolt.Summary{}, fmt.Errorf("%w; and %w", why, err)
	} else if err != nil {
		return bolt.Summary{}, err
	}
	sum, err = bolt.Keep(ctx, to, func(w io.Writer) error { _, err := s.WriteTo(w); return err })
	return sum, errors.Join(err, s.Close())
}

// download writes what the daemon answers.
func (c *client) download(ctx context.Context, path string, w io.Writer) error {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	resp, err := c.send(req, 0)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return answer(resp, nil)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil
}

func journalRestoreCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "put a backup in the place of the journal of a daemon that is stopped",
		Long: `The backup is read as a whole first. A journal that is there is kept beside the
new one. One that knows more than the backup, or that a newer version wrote, is
only replaced with --force. What was done since the backup is found again by
looking: Git says what should be, the account what is. Holds, approvals and soaks
given since are gone.`,
		Example: "  mooring journal restore journal-2026-11-29.db --state /var/lib/mooring",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := journalIn(cmd)
			if err != nil {
				return err
			}
			done, err := bolt.Restore(cmd.Context(), path, args[0], force)
			if err != nil {
				return err
			}
			if done.Aside != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "what was there is kept as %s\n", done.Aside)
			}
			return printJournal(cmd, "table", path, done.Summary)
		},
	}
	stateFlag(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "also over a journal that knows more, or that a newer version wrote")
	return cmd
}

func journalCheckCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "read a journal or a backup as a whole, and tell what it holds",
		Long: `Reads every page and every record of a backup, or of the journal in --state while
its daemon is stopped, and folds them as a start would. Nothing is changed; what
is damaged, or of a newer version, is an error that says so.`,
		Example: "  mooring journal check journal-2026-11-29.db\n  mooring journal check --state /var/lib/mooring",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := journalIn(cmd)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				path = args[0]
			}
			return withJournal(path, func(s *bolt.Store) error {
				sum, err := s.Check(cmd.Context())
				if err != nil {
					return err
				}
				return printJournal(cmd, output, path, sum)
			})
		},
	}
	stateFlag(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func withJournal(path string, do func(*bolt.Store) error) error {
	s, err := bolt.Existing(path)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("%w, or take `mooring journal backup`, which needs no stop", err)
	}
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

func journalExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export FILE",
		Short: "a journal or a backup as lines of JSON, to standard output",
		Long: `Prints a head, each record and a foot with the digest of all lines. Sensitive
values are in it as keyed tokens, as in the journal itself: the key stays in the
state folder (token.key).`,
		Example: "  mooring journal export journal-2026-11-29.db > journal.jsonl",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withJournal(args[0], func(s *bolt.Store) error { return s.Export(cmd.Context(), cmd.OutOrStdout()) })
		},
	}
}

func journalImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "make a journal of an export, where there is none; - reads it from standard input",
		Example: "  mooring journal import journal.jsonl --state /var/lib/mooring",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := journalIn(cmd)
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("import a journal: %w", err)
				}
				defer func() { _ = file.Close() }() // only read
				in = file
			}
			sum, err := bolt.Import(cmd.Context(), path, bufio.NewReader(in))
			if err != nil {
				return err
			}
			return printJournal(cmd, "table", path, sum)
		},
	}
	stateFlag(cmd)
	return cmd
}

// printJournal tells what a journal holds.
func printJournal(cmd *cobra.Command, format, path string, s bolt.Summary) error {
	return print(cmd, format, s, func(w io.Writer) {
		row(w, "JOURNAL", "FORMAT", "RECORDS", "LAST", "ENVIRONMENTS", "BYTES")
		records, at := "none", "-"
		if s.First != 0 {
			records, at = fmt.Sprintf("%d to %d", s.First, s.Last), s.At.UTC().Format(time.RFC3339)
		}
		row(w, path, s.Format, records, at, s.Environments, s.Bytes)
	})
}
