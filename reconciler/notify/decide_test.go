package notify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	last := map[string]Last{"nothing": {}, "firing": {Status: Firing, Severity: "medium", At: at}, "resolved": {Status: Resolved, Severity: "medium", At: at}}
	for _, tc := range []struct {
		last, status, severity string
		after, repeat          time.Duration
		want                   bool
	}{
		{"nothing", Firing, "medium", 0, 0, true},
		{"nothing", Resolved, "medium", 0, 0, false},
		{"firing", Firing, "medium", time.Minute, 0, false},
		{"firing", Firing, "low", time.Minute, 0, false},
		{"firing", Firing, "critical", time.Minute, 0, true},
		{"firing", Firing, "urgent", time.Minute, 0, true},
		{"firing", Firing, "medium", 1000 * time.Hour, 0, false},
		{"firing", Firing, "medium", 3 * time.Hour, 4 * time.Hour, false},
		{"firing", Firing, "medium", 4 * time.Hour, 4 * time.Hour, true},
		{"firing", Resolved, "medium", time.Second, 0, true},
		{"resolved", Firing, "low", time.Second, 0, true},
		{"resolved", Resolved, "medium", time.Hour, time.Minute, false},
	} {
		send, why := Decide(last[tc.last], Event{Status: tc.status, Severity: tc.severity, At: at.Add(tc.after)}, tc.repeat)
		if send != tc.want || why == "" {
			t.Errorf("%s, then %s %s after %s, repeat %s: %t (%s), want %t", tc.last, tc.status, tc.severity, tc.after, tc.repeat, send, why, tc.want)
		}
	}
}

// 74: texts that vary (request ids, durations) still make one alert; and
// whoever hears of an alert hears of its end.
func TestOneAlertHoweverItIsWorded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var last Last
		var told []string
		fires := false
		for i := range rapid.IntRange(1, 40).Draw(t, "events") {
			e := Event{Fingerprint: "f", Status: rapid.SampledFrom([]string{Firing, Resolved}).Draw(t, "status"), Severity: "high",
				Text: fmt.Sprint("request ", i), At: time.Unix(int64(i), 0)}
			if send, _ := Decide(last, e, 0); send {
				told = append(told, e.Status)
				last = Last{Status: e.Status, Severity: e.Severity, At: e.At}
			}
			fires = e.Status == Firing
			if toldFiring := len(told) > 0 && told[len(told)-1] == Firing; toldFiring != fires {
				t.Fatalf("it fires: %t, but people were told %v", fires, told)
			}
		}
		if all := strings.Join(told, " "); strings.Contains(all, "firing firing") || strings.Contains(all, "resolved resolved") {
			t.Fatalf("told the same twice: %s", all)
		}
	})
}
