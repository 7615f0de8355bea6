package bolt_test

import (
	"path/filepath"
	"testing"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/journal/journaltest"
)

func TestContract(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) func() (journal.Store, error) {
		path := filepath.Join(t.TempDir(), "state", "journal.db")
		return func() (journal.Store, error) { return bolt.Open(path) }
	})
}
