package journal_test

import (
	"fmt"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/journaltest"
)

// usual is a journal of a busy daemon: every kind of record, over 10
// environments and 1,000 resources.
func usual(n int) []journal.Record {
	samples := journaltest.Samples()
	recs := make([]journal.Record, n)
	for i := range recs {
		r := samples[i%len(samples)]
		r.Environment = fmt.Sprint("env", i%10)
		r.At = noon.Add(time.Duration(i) * time.Second)
		name := ref(fmt.Sprint("f", i/len(samples)%1000))
		switch {
		case r.Fact != nil:
			fact := *r.Fact
			fact.Ref, r.Fact = name, &fact
		case r.Intent != nil:
			intent := *r.Intent
			intent.Ref, r.Intent = name, &intent
		case r.Outcome != nil:
			outcome := *r.Outcome
			outcome.Ref, outcome.RequestIDs, r.Outcome = name, []string{fmt.Sprint("r", i)}, &outcome
		case r.Alert != nil:
			alert := *r.Alert
			alert.ID, alert.Fingerprint, alert.Receivers, r.Alert = fmt.Sprint("a", i), fmt.Sprint("f", i%5000), []string{"oncall"}, &alert
		case r.Delivered != nil:
			r.Delivered = &journal.Delivered{ID: fmt.Sprint("a", i-1), Receiver: "oncall"}
		}
		recs[i] = r
	}
	return recs
}

// The budget is 2 s for 1,000,000 records.
func BenchmarkFold(b *testing.B) {
	recs := usual(1_000_000)
	for b.Loop() {
		if _, err := journal.Fold(journal.State{}, seq(recs...)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e6, "ns/record")
}
