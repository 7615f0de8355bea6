package reconciler

import (
	"testing"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
)

// The audit record is of the journal, survives a restart, keeps the newest and
// makes no environment of a name somebody made up.
func TestAuditIsKept(t *testing.T) {
	s := opened(t)
	environments := len(s.d.ledger.state.Environments)
	const many = 1200
	for i := range many {
		s.d.AddAudit(t.Context(), record.Audit{Act: "sync", Environment: "made-up", Outcome: record.AuditRefused, More: i, At: s.now()})
	}
	again, err := journal.Load(t.Context(), s.d.ledger.store)
	if err != nil {
		t.Fatal(err)
	}
	got := s.d.Audit(5000, func(record.Audit) bool { return true })
	if len(got) != 1000 || len(again.Audit) != 1000 || got[0].More != many-1 || again.Audit[999].More != many-1 {
		t.Errorf("%d records, %d after a restart", len(got), len(again.Audit))
	}
	if len(again.Environments) != environments {
		t.Errorf("environments became %d, were %d", len(again.Environments), environments)
	}
	if few := s.d.Audit(2, func(a record.Audit) bool { return a.More%2 == 0 }); len(few) != 2 || few[0].More != many-2 {
		t.Errorf("%+v", few)
	}
}
