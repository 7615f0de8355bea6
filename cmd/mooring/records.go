package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/web"
)

// records is where decision records are read from: a file of lines, a daemon,
// or the journal of one that does not run.
type records struct {
	client
	file string
	// verify that the records of a file follow each other too.
	verify bool
}

func (r *records) flags(cmd *cobra.Command) {
	r.client.flags(cmd)
	cmd.Flags().BoolVar(&r.verify, "verify", false, "the records of a file have to be a whole chain too")
	cmd.Flags().StringVar(&r.file, "decisions", "", "file of decision records, one a line, instead of a daemon's or a journal's")
}

// all yields the records q means, oldest first; an error ends them.
func (r *records) all(cmd *cobra.Command, q journal.DecisionQuery) iter.Seq2[journal.Decision, error] {
	if r.file != "" {
		return fromLines(r.file, q)
	}
	return func(yield func(journal.Decision, error) bool) {
		page, err := r.page(cmd.Context(), q)
		if absent(err) {
			r.fromJournal(cmd, q, err)(yield)
			return
		}
		for {
			if err != nil {
				yield(journal.Decision{}, err)
				return
			}
			for _, d := range page.Decisions {
				if !yield(journal.Decision{Line: []byte(d.Line), Hash: d.Hash}, nil) {
					return
				}
			}
			if q.After = page.Next; page.Next == 0 {
				return
			}
			page, err = r.page(cmd.Context(), q)
		}
	}
}

func (r *records) page(ctx context.Context, q journal.DecisionQuery) (page web.DecisionPage, err error) {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("id", q.ID)
	set("environment", q.Environment)
	set("point", q.Point)
	if !q.Since.IsZero() {
		set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	if q.After != 0 {
		set("after", strconv.FormatUint(uint64(q.After), 10))
	}
	return page, r.get(ctx, "/api/v1/decisions?"+v.Encode(), &page)
}

// absent: no daemon answers, or it is another one's.
func absent(err error) bool {
	var unreachable *net.OpError
	var refused *refusal
	return errors.As(err, &unreachable) || errors.As(err, &refused) && refused.code == http.StatusUnauthorized
}

// fromJournal reads the journal of a state folder that no daemon uses.
func (r *records) fromJournal(cmd *cobra.Command, q journal.DecisionQuery, why error) iter.Seq2[journal.Decision, error] {
	return func(yield func(journal.Decision, error) bool) {
		state, err := cmd.Flags().GetString("state")
		path := filepath.Join(state, "journal.db")
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			yield(journal.Decision{}, fmt.Errorf("%w; and there is no journal in %s to read instead (--state)", why, state))
			return
		}
		store, err := bolt.Existing(path)
		if err != nil {
			yield(journal.Decision{}, err)
			return
		}
		defer func() { _ = store.Close() }() // only read
		for rec, err := range journal.Decisions(cmd.Context(), store, q) {
			if err != nil {
				yield(journal.Decision{}, err)
				return
			}
			if !yield(*rec.Decision, nil) {
				return
			}
		}
	}
}

// maxLine is the longest record read from a file.
const maxLine = 64 << 20

// fromLines reads a file of records.
func fromLines(name string, q journal.DecisionQuery) iter.Seq2[journal.Decision, error] {
	return func(yield func(journal.Decision, error) bool) {
		f, err := os.Open(name)
		if err != nil {
			yield(journal.Decision{}, fmt.Errorf("read decisions: %w", err))
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxLine)
		for n := 1; lines.Scan(); n++ {
			d, means, err := fromLine(lines.Bytes(), q)
			if err != nil {
				yield(d, fmt.Errorf("%s:%d: %w", name, n, err))
				return
			}
			if means && !yield(d, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
			yield(journal.Decision{}, fmt.Errorf("read decisions: %w", err))
		}
	}
}

// fromLine is one record of a file; an empty line means none.
func fromLine(line []byte, q journal.DecisionQuery) (journal.Decision, bool, error) {
	if len(line) == 0 {
		return journal.Decision{}, false, nil
	}
	r, err := readRecord(line)
	if err != nil {
		return journal.Decision{}, false, err
	}
	sum := sha256.Sum256(line)
	d := journal.Decision{ID: r.ID, Line: append([]byte{}, line...), Hash: "sha256:" + hex.EncodeToString(sum[:])}
	means := (q.ID == "" || q.ID == r.ID) && (q.Environment == "" || q.Environment == r.Labels["environment"]) &&
		(q.Point == "" || "policy/"+q.Point == r.Path) && !r.Timestamp.Before(q.Since)
	return d, means, nil
}
