package window

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func read(t testing.TB, s Spec) Window {
	t.Helper()
	w, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// changes are the moments at which a set opens and closes.
func changes(s Set, from time.Time, n int) string {
	var out []string
	for range n {
		if from = s.NextChange(from); from.IsZero() {
			break
		}
		word := map[bool]string{true: "opens ", false: "closes "}[s.Open(from)]
		out = append(out, word+from.UTC().Format("01-02T15:04:05"))
	}
	return strings.Join(out, ", ")
}

func TestLesson40WindowsAcrossAChangeOfClocks(t *testing.T) {
	night := func(from, to, zone string) Spec { return Spec{From: from, To: to, Zone: zone} }
	cases := []struct {
		name, from string
		spec       Spec
		want       string
	}{
		// Europe/Amsterdam: 2026-03-29 02:00→03:00 at 01:00Z, 2026-10-25 03:00→02:00 at 01:00Z.
		{"office hours stay office hours", "2026-03-28T12:00:00Z", Spec{From: "09:00", To: "17:00", Zone: "Europe/Amsterdam"},
			"closes 03-28T16:00:00, opens 03-29T07:00:00, closes 03-29T15:00:00"},
		{"opens in the hour left out", "2026-03-28T12:00:00Z", night("02:30", "05:00", "Europe/Amsterdam"),
			"opens 03-29T01:00:00, closes 03-29T03:00:00, opens 03-30T00:30:00"},
		{"closes in the hour left out", "2026-03-28T12:00:00Z", night("01:00", "02:30", "Europe/Amsterdam"),
			"opens 03-29T00:00:00, closes 03-29T01:00:00, opens 03-29T23:00:00"},
		{"is left out whole", "2026-03-28T12:00:00Z", night("02:15", "02:45", "Europe/Amsterdam"),
			"opens 03-30T00:15:00, closes 03-30T00:45:00"},
		{"comes twice", "2026-10-24T12:00:00Z", night("02:15", "02:45", "Europe/Amsterdam"),
			"opens 10-25T00:15:00, closes 10-25T00:45:00, opens 10-25T01:15:00, closes 10-25T01:45:00, opens 10-26T01:15:00"},
		// America/New_York: 2026-03-08 02:00→03:00 at 07:00Z, 2026-11-01 02:00→01:00 at 06:00Z.
		{"over midnight into the long night", "2026-11-01T00:00:00Z", Spec{Days: []string{"Saturday"}, From: "22:00", To: "06:00", Zone: "America/New_York"},
			"opens 11-01T02:00:00, closes 11-01T11:00:00, opens 11-08T03:00:00"},
		{"over midnight into the short night", "2026-03-07T20:00:00Z", Spec{Days: []string{"Saturday"}, From: "22:00", To: "06:00", Zone: "America/New_York"},
			"opens 03-08T03:00:00, closes 03-08T10:00:00, opens 03-15T02:00:00"},
		{"cron in the hour left out starts when it is", "2026-03-08T00:00:00Z", Spec{Cron: "30 2 * * *", Duration: time.Hour, Zone: "America/New_York"},
			"opens 03-08T07:00:00, closes 03-08T08:00:00, opens 03-09T06:30:00"},
		{"cron in the hour that comes twice starts once", "2026-11-01T00:00:00Z", Spec{Cron: "30 1 * * *", Duration: 10 * time.Minute, Zone: "America/New_York"},
			"opens 11-01T05:30:00, closes 11-01T05:40:00, opens 11-02T06:30:00"},
		{"to the end of the day", "2026-06-01T00:00:00Z", Spec{Days: []string{"Friday"}, From: "18:00", To: "24:00"}, "opens 06-05T18:00:00, closes 06-06T00:00:00"},
		{"a leap day", "2026-06-01T00:00:00Z", Spec{Cron: "0 0 29 feb *", Duration: 24 * time.Hour}, "opens 02-29T00:00:00, closes 03-01T00:00:00"},
		{"starts that touch are one", "2026-06-01T00:30:00Z", Spec{Cron: "0 0-2 * * mon", Duration: time.Hour}, "closes 06-01T03:00:00, opens 06-08T00:00:00"},
		{"always", "2026-06-01T00:30:00Z", Spec{From: "00:00", To: "24:00"}, ""},
	}
	for _, c := range cases {
		want := c.want
		if got := changes(Set{Allow: []Window{read(t, c.spec)}}, at(c.from), strings.Count(want, ",")+1); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestDenyWins(t *testing.T) {
	day := read(t, Spec{From: "08:00", To: "20:00"})
	lunch := read(t, Spec{From: "12:00", To: "13:00"})
	got := changes(Set{Allow: []Window{day}, Deny: []Window{lunch}}, at("2026-06-01T00:00:00Z"), 4)
	if want := "opens 06-01T08:00:00, closes 06-01T12:00:00, opens 06-01T13:00:00, closes 06-01T20:00:00"; got != want {
		t.Errorf("got %s", got)
	}
	if s := (Set{Allow: []Window{day}, Deny: []Window{day}}); s.Open(at("2026-06-01T09:00:00Z")) || !s.NextChange(at("2026-06-01T09:00:00Z")).IsZero() {
		t.Error("it opens")
	}
	if s := (Set{}); !s.Open(at("2026-06-01T09:00:00Z")) || !s.NextChange(at("2026-06-01T09:00:00Z")).IsZero() {
		t.Error("no window is no limit")
	}
	if (Set{Allow: []Window{{}}}).Open(at("2026-06-01T09:00:00Z")) {
		t.Error("a window nobody read is open")
	}
}

func TestWindowsThatAreNone(t *testing.T) {
	for _, s := range []Spec{
		{}, {From: "09:00", To: "09:00"}, {From: "9:00", To: "10:00"}, {From: "25:00", To: "26:00"}, {Days: []string{"Mon"}},
		{From: "09:00", Zone: "Europe/Atlantis"}, {From: "09:00", Zone: "Local"}, {Cron: "* * * * *"}, {Cron: "* * *", Duration: time.Hour},
		{Cron: "60 * * * *", Duration: time.Hour}, {Cron: "*/0 * * * *", Duration: time.Hour}, {Cron: "0 0 31 feb *", Duration: time.Hour},
		{Cron: "5-1 * * * *", Duration: time.Hour}, {Cron: "0 0 * * *", Duration: 32 * 24 * time.Hour}, {Cron: "0 0 * * *", Duration: time.Hour, From: "09:00"},
	} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}

// NextChange is exact: nothing changes before it, and it changes then. A minute
// by minute walk sees the same.
func TestNothingChangesBeforeTheNextChange(t *testing.T) {
	zones := []string{"Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", ""}
	specs := rapid.Custom(func(rt *rapid.T) Spec {
		zone := rapid.SampledFrom(zones).Draw(rt, "zone")
		if rapid.Bool().Draw(rt, "cron") {
			cron := rapid.SampledFrom([]string{"30 2 * * *", "0 1,2,3 * * sun", "15 */6 29 * *", "45 1 * 3,4,10,11 *"}).Draw(rt, "expression")
			return Spec{Cron: cron, Duration: time.Duration(rapid.IntRange(1, 3000).Draw(rt, "minutes")) * time.Minute, Zone: zone}
		}
		clocks := []string{"00:00", "01:30", "02:00", "02:30", "03:00", "12:15", "23:59"}
		i := rapid.IntRange(0, len(clocks)-1).Draw(rt, "from")
		j := (i + rapid.IntRange(1, len(clocks)-1).Draw(rt, "to")) % len(clocks)
		s := Spec{From: clocks[i], To: clocks[j], Zone: zone}
		if rapid.Bool().Draw(rt, "days") {
			s.Days = []string{"Sunday", "Saturday"}
		}
		return s
	})
	starts := []time.Time{at("2026-03-07T12:00:00Z"), at("2026-03-28T12:00:00Z"), at("2026-04-04T06:00:00Z"), at("2026-10-03T06:00:00Z"), at("2026-10-24T12:00:00Z"), at("2026-10-31T12:00:00Z")}
	rapid.Check(t, func(rt *rapid.T) {
		var set Set
		for _, s := range rapid.SliceOfN(specs, 0, 2).Draw(rt, "allow") {
			set.Allow = append(set.Allow, read(t, s))
		}
		for _, s := range rapid.SliceOfN(specs, 0, 2).Draw(rt, "deny") {
			set.Deny = append(set.Deny, read(t, s))
		}
		from := rapid.SampledFrom(starts).Draw(rt, "start").Add(time.Duration(rapid.IntRange(0, 36*60).Draw(rt, "offset")) * time.Minute)
		open, next := set.Open(from), set.NextChange(from)
		end := from.Add(48 * time.Hour)
		if !next.IsZero() && next.Before(end) {
			if end = next; set.Open(next) == open {
				rt.Fatalf("nothing changes at %v", next)
			}
		}
		for at := from; at.Before(end); at = at.Add(time.Minute) {
			if set.Open(at) != open {
				rt.Fatalf("it changes at %v, and was to at %v", at, next)
			}
		}
	})
}
