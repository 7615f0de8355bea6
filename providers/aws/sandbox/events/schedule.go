package events

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// schedule says when a rule fires next, after a time; false for never.
type schedule func(after time.Time) (time.Time, bool)

// parseSchedule reads rate(5 minutes) and cron(0 12 * * ? *), in UTC.
func parseSchedule(text string) (schedule, error) {
	invalid := fail("ValidationException", "Parameter ScheduleExpression is not valid.")
	kind, inner, ok := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	if !ok || !strings.HasSuffix(text, ")") {
		return nil, invalid
	}
	switch kind {
	case "rate":
		every, err := parseRate(strings.Fields(inner))
		if err != nil {
			return nil, invalid
		}
		return func(after time.Time) (time.Time, bool) { return after.Add(every), true }, nil
	case "cron":
		c, err := parseCron(strings.Fields(inner))
		if err != nil {
			return nil, invalid
		}
		return c.next, nil
	default:
		return nil, invalid
	}
}

// Next says when a schedule fires next after a time; false for never.
type Next func(after time.Time) (time.Time, bool)

// ParseSchedule reads what EventBridge Scheduler takes: rate, cron and
// at(2026-11-28T09:00:00), by the clock of a place.
func ParseSchedule(text string, place *time.Location) (Next, error) {
	inner, ok := strings.CutPrefix(strings.TrimSuffix(text, ")"), "at(")
	if !ok || !strings.HasSuffix(text, ")") {
		s, err := parseSchedule(text)
		if err != nil || strings.HasPrefix(text, "rate") {
			return Next(s), err
		}
		return s.byClockOf(place), nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05", inner, place)
	if err != nil {
		return nil, errSchedule
	}
	return func(after time.Time) (time.Time, bool) { return at.UTC(), at.After(after) }, nil
}

// byClockOf reads a schedule's times off the clocks of a place.
func (s schedule) byClockOf(place *time.Location) Next {
	return func(after time.Time) (time.Time, bool) {
		there := after.In(place)
		clock := time.Date(there.Year(), there.Month(), there.Day(), there.Hour(), there.Minute(), there.Second(), 0, time.UTC)
		for range 120 { // an hour that a change of clocks left out, or has twice
			next, ok := s(clock)
			if !ok {
				return time.Time{}, false
			}
			at := time.Date(next.Year(), next.Month(), next.Day(), next.Hour(), next.Minute(), 0, 0, place)
			if at.After(after) {
				return at.UTC(), true
			}
			clock = next
		}
		return time.Time{}, false
	}
}

// longestRate keeps a rate, in its unit, within what a duration can hold.
const longestRate = 100_000

var errSchedule = errors.New("not a schedule")

func parseRate(fields []string) (time.Duration, error) {
	if len(fields) != 2 {
		return 0, errSchedule
	}
	n, err := strconv.Atoi(fields[0])
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[strings.TrimSuffix(fields[1], "s")]
	if err != nil || n < 1 || n > longestRate || unit == 0 || (n == 1) == strings.HasSuffix(fields[1], "s") {
		return 0, errSchedule
	}
	return time.Duration(n) * unit, nil
}

// cron is a schedule of six fields.
type cron struct{ minute, hour, day, month, weekday, year span }

// span is the set of values a field allows; nil allows all.
type span map[int]bool

func (s span) allows(n int) bool { return s == nil || s[n] }

// field is how one field of a cron expression is written.
type field struct {
	low, high int
	names     string // of the values from low on, three letters each
}

// fields are minutes, hours, day of month, month, day of week, year.
var fields = [6]field{
	{0, 59, ""}, {0, 23, ""}, {1, 31, ""}, {1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"}, {1, 7, "SUNMONTUEWEDTHUFRISAT"}, {1970, 2199, ""},
}

// parseCron refuses L, W and #, whose rules AWS would take.
func parseCron(texts []string) (cron, error) {
	if len(texts) != 6 || (texts[2] == "?") == (texts[4] == "?") {
		return cron{}, errSchedule
	}
	var spans [6]span
	for i, text := range texts {
		var err error
		if spans[i], err = fields[i].parse(text); err != nil {
			return cron{}, err
		}
	}
	return cron{spans[0], spans[1], spans[2], spans[3], spans[4], spans[5]}, nil
}

func (f field) parse(text string) (span, error) {
	if text == "*" || text == "?" {
		return nil, nil
	}
	out := span{}
	for _, part := range strings.Split(text, ",") {
		reach, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			var err error
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return nil, errSchedule
			}
		}
		from, to, err := f.reach(reach, stepped)
		if err != nil {
			return nil, err
		}
		for n := from; n <= to; n += step {
			out[n] = true
		}
	}
	return out, nil
}

// reach reads *, n, or n-m; n with a step reaches to the end.
func (f field) reach(text string, stepped bool) (from, to int, err error) {
	if text == "*" {
		return f.low, f.high, nil
	}
	first, last, ranged := strings.Cut(text, "-")
	if from, err = f.value(first); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		to, err = f.value(last)
	case stepped:
		to = f.high
	default:
		to = from
	}
	if err == nil && from > to {
		err = errSchedule
	}
	return from, to, err
}

func (f field) value(text string) (int, error) {
	if i := strings.Index(f.names, strings.ToUpper(text)); len(text) == 3 && i >= 0 && i%3 == 0 {
		return f.low + i/3, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.low || n > f.high {
		return 0, errSchedule
	}
	return n, nil
}

// horizon is how far ahead a schedule is looked for: leap days are within.
const horizon = 9 * 366

// next is the first minute after a time that the fields allow.
func (c cron) next(after time.Time) (time.Time, bool) {
	t := after.UTC().Truncate(time.Minute).Add(time.Minute)
	for range horizon {
		midnight := time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		if !c.allowsDay(t) {
			t = midnight
			continue
		}
		for ; t.Before(midnight); t = t.Add(time.Minute) {
			if c.hour.allows(t.Hour()) && c.minute.allows(t.Minute()) {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

func (c cron) allowsDay(t time.Time) bool {
	return c.year.allows(t.Year()) && c.month.allows(int(t.Month())) && c.day.allows(t.Day()) && c.weekday.allows(int(t.Weekday())+1)
}
