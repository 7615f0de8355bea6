package events

import (
	"testing"
	"time"
)

func TestSchedulesFireNext(t *testing.T) {
	monday := time.Date(2026, 11, 23, 12, 30, 20, 0, time.UTC)
	for text, want := range map[string]string{
		"rate(1 hour)":                  "2026-11-23 13:30:20",
		"rate(5 minutes)":               "2026-11-23 12:35:20",
		"cron(0 12 * * ? *)":            "2026-11-24 12:00:00",
		"cron(45 12 * * ? *)":           "2026-11-23 12:45:00",
		"cron(0/15 * * * ? *)":          "2026-11-23 12:45:00",
		"cron(*/20 8-11 ? * MON-FRI *)": "2026-11-24 08:00:00",
		"cron(0 9 ? * 1,sat *)":         "2026-11-28 09:00:00",
		"cron(0 0 29 2 ? *)":            "2028-02-29 00:00:00",
		"cron(30 12 * * ? *)":           "2026-11-24 12:30:00",
	} {
		s, err := parseSchedule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, ok := s(monday)
		if !ok || got.Format(time.DateTime) != want {
			t.Errorf("%s fires next at %s, %v, want %s", text, got.Format(time.DateTime), ok, want)
		}
	}
	past, err := parseSchedule("cron(0 0 1 1 ? 2020)")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := past(monday); ok {
		t.Errorf("a year gone by fires at %s", at)
	}
}

func TestSchedulesGoByTheClockOfAPlace(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, after, want string }{
		{"cron(0 9 * * ? *)", "2026-07-01 06:00:00", "2026-07-01 07:00:00"},
		{"cron(0 9 * * ? *)", "2026-12-01 06:00:00", "2026-12-01 08:00:00"},
		{"cron(30 2 * * ? *)", "2026-03-29 00:00:00", "2026-03-29 01:30:00"},   // an hour that is not: an hour later
		{"cron(0/15 * * * ? *)", "2026-10-25 00:50:00", "2026-10-25 02:00:00"}, // an hour that is twice: once
		{"at(2026-12-24T18:00:00)", "2026-12-01 00:00:00", "2026-12-24 17:00:00"},
		{"at(2026-12-24T18:00:00)", "2026-12-25 00:00:00", "never"},
		{"rate(1 day)", "2026-12-01 00:00:00", "2026-12-02 00:00:00"},
	} {
		next, err := ParseSchedule(c.text, zurich)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		after, err := time.Parse(time.DateTime, c.after)
		if err != nil {
			t.Fatal(err)
		}
		got := "never"
		if at, ok := next(after); ok {
			got = at.UTC().Format(time.DateTime)
		}
		if got != c.want {
			t.Errorf("%s after %s fires at %s, want %s", c.text, c.after, got, c.want)
		}
	}
	for _, text := range []string{"at(tomorrow)", "at(2026-12-24)", "hourly", ""} {
		if _, err := ParseSchedule(text, zurich); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestSchedulesWithoutSenseAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "hourly", "rate(1 hours)", "rate(2 hour)", "rate(0 minutes)", "rate(5 seconds)", "rate(5 minutes", "rate(999999999 days)",
		"cron(0 12 * * *)", "cron(0 12 * * * *)", "cron(0 12 ? * ? *)", "cron(60 12 * * ? *)", "cron(0 12 * * ? 1969)",
		"cron(5-1 * * * ? *)", "cron(*/0 * * * ? *)", "cron(x * * * ? *)",
	} {
		if _, err := parseSchedule(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add("cron(0/15 8-11 ? * MON-FRI *)")
	f.Add("rate(5 minutes)")
	now := time.Date(2026, 11, 23, 12, 30, 20, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSchedule(text)
		if err != nil {
			return
		}
		if at, ok := s(now); ok && !at.After(now) {
			t.Errorf("%q fires at %s, not after %s", text, at, now)
		}
	})
}
