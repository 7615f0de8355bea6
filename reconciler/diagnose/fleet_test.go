package diagnose

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFleetRemediesAreFollowed: whatever is advised is done until the doctor is
// content, at every size, and at most three times.
func TestFleetRemediesAreFollowed(t *testing.T) {
	share, interval := regexp.MustCompile(`--sweep-share ([\d.]+)`), regexp.MustCompile(`drift.interval: (\S+) `)
	for _, c := range []struct {
		functions, times int
		every            time.Duration
		want             string // of the first remedy
	}{
		{0, 0, time.Minute, ""}, {50, 0, time.Minute, ""}, {400, 0, time.Minute, ""}, {1000, 1, time.Minute, "--sweep-share 0.4"}, {1200, 1, time.Second, "drift.interval: "},
		{1300, 1, 10 * time.Second, "drift.interval: "}, {3000, 1, time.Minute, "declare hints"}, {10_000, 1, time.Minute, "declare hints"}, {100, 1, time.Second, "--sweep-share 0.5"},
	} {
		f := Fleet{Name: "111111111111/eu-west-1", Functions: c.functions, Others: 5, Interval: c.every, PerSecond: 15, Share: 0.2}
		times, first := 0, ""
		for got := OfFleet(f); got.Result != OK; got = OfFleet(f) {
			if times++; times > 3 {
				t.Fatalf("%d functions each %s: still %+v", c.functions, c.every, got)
			}
			if times == 1 {
				first = got.Remedy
			}
			if m := share.FindStringSubmatch(got.Remedy); m != nil {
				f.Share, _ = strconv.ParseFloat(m[1], 64)
			}
			if m := interval.FindStringSubmatch(got.Remedy); m != nil {
				f.Interval, _ = time.ParseDuration(m[1])
			}
			f.Hints = f.Hints || strings.Contains(got.Remedy, "declare hints")
		}
		if times != c.times || !strings.Contains(first, c.want) {
			t.Errorf("%d functions each %s: %d remedies, the first %q, want %d and %q", c.functions, c.every, times, first, c.times, c.want)
		}
	}
}
