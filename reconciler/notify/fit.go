package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	titleMost = 500  // bytes of a title where a receiver sets no bound of its own
	nameMost  = 200  // of what names a thing: a fact, a kind, a label
	linkMost  = 2000 // of a link; one that is longer leads nowhere once it is cut
	factsMost = 30
	textMost  = 64 << 10 // of a text, to begin with
	textLeast = 64       // no text is shortened below this to make a message fit
)

// Fit is the event in such words that its JSON has at most so many bytes: what
// is too long is shortened and says so, what is too much is counted. What an
// alert is known by is never touched.
func Fit(e Event, most int) Event {
	fitted, _, _ := within(e, most, func(e Event) ([]byte, error) { return json.Marshal(e) })
	return fitted
}

// within shortens an event until what is made of it has at most so many bytes,
// or until there is nothing left to shorten. An event that fits is sent as it
// is.
func within(e Event, most int, make func(Event) ([]byte, error)) (fitted Event, body []byte, err error) {
	body, err = make(e)
	for room := textMost; (err != nil || len(body) > most) && room >= textLeast; room /= 2 {
		e = brief(e, room)
		body, err = make(e)
	}
	if err != nil {
		return e, nil, Permanent(fmt.Errorf("notify: write the event: %w", err))
	}
	return e, body, nil
}

// brief is an event none of whose texts has more than room bytes.
func brief(e Event, room int) Event {
	e.Title, e.Text = cut(e.Title, min(room, titleMost)), cutLines(e.Text, room)
	e.Kind, e.Resource, e.Environment = cut(e.Kind, nameMost), cut(e.Resource, titleMost), cut(e.Environment, nameMost)
	e.Facts = briefFacts(e.Facts, min(factsMost, max(4, room/64)), room/4)
	if len(e.Link) > linkMost {
		e.Link = ""
	}
	var actions []Action
	for _, a := range e.Actions {
		if len(a.Link) <= linkMost && len(actions) < 6 {
			actions = append(actions, Action{Name: cut(a.Name, nameMost), Link: a.Link})
		}
	}
	e.Actions = actions
	labels := map[string]string{}
	for name, value := range e.Labels {
		labels[cut(name, nameMost)] = cut(value, min(room, titleMost))
	}
	if e.Labels = labels; len(labels) == 0 {
		e.Labels = nil
	}
	return e
}

// briefFacts are at most so many facts, the last of which counts the rest,
// with values of at most room bytes.
func briefFacts(facts []Fact, most, room int) (out []Fact) {
	for i, f := range facts {
		if i == most-1 && len(facts) > most {
			return append(out, Fact{Name: "more", Value: fmt.Sprintf("and %d more", len(facts)-i)})
		}
		out = append(out, Fact{Name: cut(f.Name, nameMost), Value: cutLines(f.Value, max(room, 16))})
	}
	return out
}

// cutLines shortens a text to at most so many bytes, after a whole line where
// one fits, and says how many are missing.
func cutLines(text string, most int) string {
	if len(text) <= most {
		return text
	}
	lines := strings.Split(text, "\n")
	kept, used := 0, 0
	for kept < len(lines)-1 && used+len(lines[kept])+1+len(moreLines(len(lines)-kept-1)) <= most {
		used += len(lines[kept]) + 1
		kept++
	}
	if kept == 0 {
		return cut(text, most)
	}
	return text[:used] + moreLines(len(lines)-kept)
}

func moreLines(n int) string {
	if n == 1 {
		return "… and 1 more line"
	}
	return fmt.Sprintf("… and %d more lines", n)
}

// escapedWithin is text, shortened until it has at most so many bytes once it
// is escaped: an escape that is cut in two would be shown as it is.
func escapedWithin(text string, most int, escape func(string) string) string {
	for room := most; room > 0; {
		out := escape(cutLines(text, room))
		if len(out) <= most {
			return out
		}
		room -= max(1, min(len(out)-most, room/8))
	}
	return ""
}

// cut shortens text to at most so many bytes, between two characters, and
// shows that it did.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const sign = "…"
	end := max(0, most-len(sign))
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + sign
}
