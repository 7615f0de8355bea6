// Package window tells when something may be done, by the clock on the wall
// of a time zone: hours of days, or starts by cron that last a while. It is
// pure: the time is an argument. It refuses to know what is to be done then.
//
// Where clocks are put forward, a window that would open in the hour that is
// left out opens when that hour would have begun; where they are put back,
// the hour that comes twice counts both times, and a start by cron in it once,
// the first time.
package window

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the same zones on every machine
)

// Spec is one window as written: days and hours, or cron and duration.
type Spec struct {
	Days     []string      // Monday, …; none: every day
	From, To string        // 09:00, to excluded; 24:00 ends the day; a to before from is on the day after
	Cron     string        // minute hour day-of-month month day-of-week
	Duration time.Duration // from each start by Cron
	Zone     string        // IANA name; "" is UTC
}

// Window is a Spec that was read. The zero Window is never open.
type Window struct {
	zone     *time.Location
	days     [7]bool
	from, to int // minutes of the day
	cron     *schedule
	duration time.Duration
}

// MaxDuration bounds how long one start by cron lasts.
const MaxDuration = 31 * 24 * time.Hour

// Parse reads a Spec.
func Parse(s Spec) (Window, error) {
	w := Window{duration: s.Duration}
	var err error
	if s.Zone == "Local" {
		return w, fmt.Errorf("zone %q: want an IANA name, as Europe/Amsterdam", s.Zone)
	}
	if w.zone, err = time.LoadLocation(s.Zone); err != nil {
		return w, fmt.Errorf("zone %q is not known: want an IANA name, as Europe/Amsterdam", s.Zone)
	}
	byCron, byHours := s.Cron != "" || s.Duration != 0, s.From != "" || s.To != "" || len(s.Days) > 0
	switch {
	case byCron && byHours:
		return w, fmt.Errorf("a window has days, from and to, or cron and duration, not both")
	case byCron:
		if s.Duration < time.Minute || s.Duration > MaxDuration {
			return w, fmt.Errorf("duration is from 1m to %s", MaxDuration)
		}
		w.cron, err = parseCron(s.Cron)
		return w, err
	case !byHours:
		return w, fmt.Errorf("a window needs from and to, or cron and duration")
	}
	return w, w.hours(s)
}

func (w *Window) hours(s Spec) (err error) {
	for _, day := range s.Days {
		i := slices.IndexFunc(weekdays[:], func(d time.Weekday) bool { return d.String() == day })
		if i < 0 {
			return fmt.Errorf("day %q: want Monday, Tuesday, …", day)
		}
		w.days[i] = true
	}
	if len(s.Days) == 0 {
		w.days = [7]bool{true, true, true, true, true, true, true}
	}
	w.to = 24 * 60
	if s.From != "" {
		if w.from, err = clock("from", s.From); err != nil {
			return err
		}
	}
	if s.To != "" {
		if w.to, err = clock("to", s.To); err != nil {
			return err
		}
	}
	if w.from == w.to || w.from == 24*60 {
		return fmt.Errorf("from %s to %s is no time", s.From, s.To)
	}
	return nil
}

var weekdays = [7]time.Weekday{0, 1, 2, 3, 4, 5, 6}

func clock(field, text string) (int, error) {
	if text == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%s %q: want a time of day, as 09:00", field, text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// Open tells whether the window is open.
func (w Window) Open(t time.Time) bool {
	if w.zone == nil {
		return false
	}
	if w.cron != nil {
		return len(w.starts(t.Add(-w.duration), t)) > 0
	}
	t = t.In(w.zone)
	minute, today := t.Hour()*60+t.Minute(), t.Weekday()
	if w.from < w.to {
		return w.days[today] && minute >= w.from && minute < w.to
	}
	return w.days[today] && minute >= w.from || w.days[(today+6)%7] && minute < w.to
}

// horizon is how far ahead a change is looked for: a February 29 is at most
// eight years away.
const horizon = 8*366 + 1

// next is a moment after t at which Open may change, the earliest; zero when
// there is none in sight.
func (w Window) next(t time.Time) time.Time {
	if w.zone == nil {
		return time.Time{}
	}
	if w.cron != nil {
		return w.nextByCron(t)
	}
	var best time.Time
	take := func(at time.Time) {
		if at.After(t) && (best.IsZero() || at.Before(best)) {
			best = at
		}
	}
	y, m, d := t.In(w.zone).Date()
	for day := -1; day <= 8; day++ {
		for _, minute := range []int{w.from, w.to} {
			for _, at := range instants(w.zone, y, m, d+day, minute) {
				take(at)
			}
		}
	}
	if _, end := t.In(w.zone).ZoneBounds(); !end.IsZero() {
		take(end) // the hour that is left out or comes twice
	}
	return best
}

// instants are when a clock on the wall shows this: once, twice where clocks
// are put back, and never in the hour that is left out.
func instants(zone *time.Location, y int, m time.Month, d, minute int) []time.Time {
	wall := time.Date(y, m, d, 0, minute, 0, 0, time.UTC)
	var out []time.Time
	for _, around := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := wall.Add(around).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		_, there := at.In(zone).Zone()
		if there == offset && !slices.ContainsFunc(out, at.Equal) {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}

// starts are the starts by cron in (after, until].
func (w Window) starts(after, until time.Time) []time.Time {
	var out []time.Time
	y, m, d := after.In(w.zone).Date()
	for day := 0; ; day++ {
		date := time.Date(y, m, d+day, 0, 0, 0, 0, time.UTC)
		if date.Add(-26 * time.Hour).After(until) { // no zone is that far off
			return out
		}
		for _, at := range w.startsOf(date) {
			if at.After(after) && !at.After(until) {
				out = append(out, at)
			}
		}
	}
}

// startsOf are the starts of one date: of a time that comes twice the first,
// of one that is left out the moment it is.
func (w Window) startsOf(date time.Time) []time.Time {
	if !w.cron.day(date) {
		return nil
	}
	y, m, d := date.Date()
	var out []time.Time
	for _, minute := range w.cron.minutes() {
		at := instants(w.zone, y, m, d, minute)
		if len(at) == 0 {
			_, end := time.Date(y, m, d, 0, minute, 0, 0, time.UTC).Add(-24 * time.Hour).In(w.zone).ZoneBounds()
			at = []time.Time{end}
		}
		if !slices.ContainsFunc(out, at[0].Equal) {
			out = append(out, at[0])
		}
	}
	return out
}

func (w Window) nextByCron(t time.Time) time.Time {
	var best time.Time
	for _, start := range w.starts(t.Add(-w.duration), t) {
		if end := start.Add(w.duration); best.IsZero() || end.Before(best) {
			best = end
		}
	}
	y, m, d := t.In(w.zone).Date()
	for day := 0; day <= horizon; day++ {
		found := false
		for _, at := range w.startsOf(time.Date(y, m, d+day, 0, 0, 0, 0, time.UTC)) {
			if at.After(t) {
				found = true
				if best.IsZero() || at.Before(best) {
					best = at
				}
			}
		}
		if found {
			break
		}
	}
	return best
}

// Set is when something may be done: while any window allows it, or always
// where none is named to allow; and never while one denies it.
type Set struct{ Allow, Deny []Window }

// Open tells whether it may be done.
func (s Set) Open(t time.Time) bool {
	open := func(w Window) bool { return w.Open(t) }
	return (len(s.Allow) == 0 || slices.ContainsFunc(s.Allow, open)) && !slices.ContainsFunc(s.Deny, open)
}

// mostChanges bounds the search through windows that open and close all the
// time while others keep the set as it is.
const mostChanges = 5000

// NextChange is the moment, after t, at which Open changes; zero when none is
// in sight.
func (s Set) NextChange(t time.Time) time.Time {
	now := s.Open(t)
	for range mostChanges {
		var next time.Time
		for _, w := range slices.Concat(s.Allow, s.Deny) {
			if at := w.next(t); !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
		if next.IsZero() || s.Open(next) != now {
			return next
		}
		t = next
	}
	return time.Time{}
}

// String is a window for people.
func (s Spec) String() string {
	zone := s.Zone
	if zone == "" {
		zone = "UTC"
	}
	if s.Cron != "" {
		return fmt.Sprintf("%q for %s %s", s.Cron, s.Duration, zone)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s-%s %s", strings.Join(s.Days, ","), s.From, s.To, zone))
}
