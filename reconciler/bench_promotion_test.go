package reconciler

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkPromotion is a pass of an empty environment into which a release of so
// many resources could come, and policy does not let it: it is read, looked ahead
// over and judged in each pass.
func BenchmarkPromotion(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := newLarge(b, n)
			l.repo.commit("main", controlFiles("deny", "preview", "production"))
			if err := l.d.refresh(b.Context(), "poll"); err != nil {
				b.Fatal(err)
			}
			for range 30 { // the soak is over
				l.now = l.now.Add(time.Second)
				l.pass(b)
			}
			l.e = l.d.environment("production")
			b.ReportAllocs()
			for b.Loop() {
				l.now = l.now.Add(10 * time.Millisecond)
				l.pass(b)
			}
			if s := l.d.Status().Environments[1]; s.Promotion == "" {
				b.Fatalf("nothing waits: %+v", s)
			} else {
				b.Log(s.Promotion)
			}
		})
	}
}
