package sources

import (
	"maps"
	"strings"
	"testing"
)

func TestParseTrailers(t *testing.T) {
	for message, want := range map[string]map[string]string{
		"":                             nil,
		"Subject":                      nil,
		"Key: only a subject":          nil,
		"Subject\n\nTicket: A-1":       {"Ticket": "A-1"},
		"S\n\nBody\n\nA: 1\nB: 2\n\n":  {"A": "1", "B": "2"},
		"S\r\n\r\nA: 1\r\n":            {"A": "1"},
		"S\n\nA: 1\n  more\nB:2":       {"A": "1 more", "B": "2"},
		"S\n\nA: 1\nA: 2":              {"A": "1\n2"},
		"S\n\nA: 1\nprose in between":  nil,
		"S\n\nSee: this\n\nlast words": nil,
		"S\n\nnot a key: 1":            nil,
		"S\n\nA:":                      {"A": ""},
		"S\n\n: 1":                     nil,
	} {
		if got := ParseTrailers(message); !maps.Equal(got, want) {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

func TestAppendTrailers(t *testing.T) {
	got := AppendTrailers("Subject\n", map[string]string{"B": "2", "A": "1\n1b", "bad key": "x", "": "y"})
	if want := "Subject\n\nA: 1\nA: 1b\nB: 2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := AppendTrailers("Subject", nil); got != "Subject" {
		t.Errorf("without trailers: %q", got)
	}
}

func FuzzTrailers(f *testing.F) {
	f.Add("Ticket", "A-1\nA-2")
	f.Add("a b", "x")
	f.Fuzz(func(t *testing.T, key, value string) {
		value = strings.Join(strings.Fields(value), "\n")
		got := ParseTrailers(AppendTrailers("Subject", map[string]string{key: value}))
		if !trailerKey(key) {
			if got != nil {
				t.Errorf("key %q came back: %q", key, got)
			}
		} else if !maps.Equal(got, map[string]string{key: value}) {
			t.Errorf("%q=%q came back as %q", key, value, got)
		}
	})
}
