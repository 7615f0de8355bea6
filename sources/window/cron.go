package window

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// schedule is five fields of cron, each the set of its values.
type schedule struct {
	minute, hour, dom, month, dow []bool
	anyDom, anyDow                bool
}

var (
	months = []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	days   = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

func parseCron(text string) (*schedule, error) {
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return nil, fmt.Errorf("cron %q: want five fields: minute hour day-of-month month day-of-week", text)
	}
	s := &schedule{anyDom: fields[2] == "*", anyDow: fields[4] == "*"}
	for i, f := range []struct {
		into     *[]bool
		min, max int
		names    []string
	}{{&s.minute, 0, 59, nil}, {&s.hour, 0, 23, nil}, {&s.dom, 1, 31, nil}, {&s.month, 1, 12, months}, {&s.dow, 0, 7, days}} {
		set := make([]bool, f.max+1)
		for part := range strings.SplitSeq(fields[i], ",") {
			if err := addPart(set, part, f.min, f.names); err != nil {
				return nil, fmt.Errorf("cron %q: field %d: %w", text, i+1, err)
			}
		}
		*f.into = set
	}
	s.dow[0] = s.dow[0] || s.dow[7] // both are Sunday
	if !s.ever() {
		return nil, fmt.Errorf("cron %q: there is no such day", text)
	}
	return s, nil
}

// addPart adds *, a, a-b, each with /step where wanted, to a set.
func addPart(set []bool, part string, least int, names []string) error {
	span, stepText, stepped := strings.Cut(part, "/")
	step, first, last := 1, least, len(set)-1
	var err error
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return fmt.Errorf("%q: a step is a number above 0", part)
		}
	}
	if span != "*" {
		from, to, ranged := strings.Cut(span, "-")
		if first, err = value(from, names); err != nil {
			return err
		}
		switch {
		case ranged:
			if last, err = value(to, names); err != nil {
				return err
			}
		case !stepped:
			last = first
		}
	}
	if first < least || last >= len(set) || first > last {
		return fmt.Errorf("%q is not within %d to %d", part, least, len(set)-1)
	}
	for v := first; v <= last; v += step {
		set[v] = true
	}
	return nil
}

func value(text string, names []string) (int, error) {
	if i := slices.Index(names, strings.ToLower(text)); i >= 0 && text != "" {
		return i, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no number here", text)
	}
	return n, nil
}

// day: the schedule starts on this date. As cron has it, a day of the month
// and a day of the week that are both named are either.
func (s *schedule) day(date time.Time) bool {
	if !s.month[date.Month()] {
		return false
	}
	dom, dow := s.dom[date.Day()], s.dow[date.Weekday()]
	if s.anyDom || s.anyDow {
		return dom && dow
	}
	return dom || dow
}

// minutes of the day at which it starts.
func (s *schedule) minutes() []int {
	var out []int
	for h, hour := range s.hour {
		for m, minute := range s.minute {
			if hour && minute {
				out = append(out, h*60+m)
			}
		}
	}
	return out
}

// ever: some date of a leap year fits.
func (s *schedule) ever() bool {
	for d := range 366 {
		if s.day(time.Date(2028, 1, 1+d, 0, 0, 0, 0, time.UTC)) {
			return true
		}
	}
	return false
}
