package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"mooring.dev/reconciler/access"
)

// Keeper is a Control that gives its memory away, to whoever may have it.
type Keeper interface {
	// Backup is the whole journal as of one moment.
	Backup(ctx context.Context, by access.Person) (io.ReadCloser, error)
}

// backupPause is how long a reader of a backup may let it wait, for each part.
const backupPause = 30 * time.Second

// backup answers with a copy of the journal.
func (s *server) backup(k Keeper) {
	s.api("GET /api/v1/journal", purpose{does: "A copy of the journal as of one moment, as a file; for an admin of everything."}, func(w http.ResponseWriter, r *http.Request, by access.Person) {
		n := noteOf(r)
		n.looks, n.Act, n.Target = false, "journal/backup", "" // it takes everything away: an act
		from, err := k.Backup(r.Context(), by)
		if err != nil {
			n.ended(err)
			reply(w, nil, err)
			return
		}
		defer func() { _ = from.Close() }() // only read
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="journal.db"`)
		c := http.NewResponseController(w)
		part := make([]byte, 1<<20)
		for {
			n, err := io.ReadFull(from, part)
			_ = c.SetWriteDeadline(time.Now().Add(backupPause)) // what has no deadline is not a connection
			if _, broken := w.Write(part[:n]); err != nil || broken != nil {
				return // its end; or the caller, who finds it cut short, left
			}
		}
	})
}
