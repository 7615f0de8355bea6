package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var driftOnly = flag.String("driftonly", "", "only the rows of the drift suite whose names match")

var driftShow = flag.Bool("driftshow", false, "print what each row of the drift suite led to")

// TestDriftCatalogue makes every row of the catalogue that concerns a managed
// kind by hand, all at once, while a daemon with the default responses
// watches. Each row must be seen as exactly the differences it says, with
// their actor, severity and response; what is put back is as declared again
// and nothing else was written; what is held or alerted was not touched.
func TestDriftCatalogue(t *testing.T) {
	rows := slices.DeleteFunc(driftRows(), func(r driftRow) bool { return !regexp.MustCompile(*driftOnly).MatchString(r.name) })
	started := time.Now()
	w := newDriftWorld(t, rows)
	deployed := time.Now()
	declared := map[string]map[string]string{}
	for i := range rows {
		if back, _ := rows[i].fate(); back {
			declared[rows[i].name] = w.look(&rows[i])
		}
	}
	w.since = w.cloud.Now()
	for i := range rows {
		rows[i].hand(w.python, physicalName(rows[i].name))
	}
	left := map[string]map[string]string{}
	for i := range rows {
		if _, stays := rows[i].fate(); stays {
			left[rows[i].name] = w.look(&rows[i])
		}
	}
	done := time.Now()
	w.settled(rows)
	t.Logf("%d rows: deployed in %.1f s, made by hand in %.1f s, settled in %.1f s", len(rows), deployed.Sub(started).Seconds(), done.Sub(deployed).Seconds(), time.Since(done).Seconds())
	stories, changes := w.stories(), w.cloud.changes()
	for i := range rows {
		row := &rows[i]
		t.Run(row.number+" "+row.name, func(t *testing.T) {
			got, writes := row.of(stories), w.writes(changes, row)
			if *driftShow {
				show(t, row, got, writes)
			}
			row.checkStories(t, got, w.python.made)
			if row.unread != nil {
				row.checkUnread(t, w)
			}
			if !slices.Equal(writes, row.writes) {
				t.Errorf("Mooring wrote %q, not %q", writes, row.writes)
			}
			switch back, stays := row.fate(); {
			case back:
				sameState(t, w.look(row), declared[row.name])
			case stays:
				sameState(t, w.look(row), left[row.name])
			}
		})
	}
	w.secretsAreSafe(t)
	if *driftOnly == "" {
		t.Run("seen", func(t *testing.T) { w.checkSeen(t, rows) })
		t.Run("heard", func(t *testing.T) { w.checkHeard(t, rows) })
	}
}

// settled waits until every row has its story and nothing moves any more. A
// row that never gets there is told apart later.
func (w *driftWorld) settled(rows []driftRow) {
	deadline := time.Now().Add(2 * time.Minute) // on a busy machine
	for time.Now().Before(deadline) && !*driftShow {
		stories, missing := w.stories(), 0
		for i := range rows {
			if rows[i].missing(rows[i].of(stories)) {
				missing++
			}
		}
		if missing == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	// Whatever is wrongly seen or done is seen or done within two looks at
	// every layer.
	looks := 3
	if *driftShow {
		looks = 12
	}
	surveys := w.cloud.Counts().Operations["lambda:ListFunctions"] + looks
	for time.Now().Before(deadline.Add(20*time.Second)) && w.cloud.Counts().Operations["lambda:ListFunctions"] < surveys {
		time.Sleep(50 * time.Millisecond)
	}
}

// missing is true while what must come has not come.
func (row *driftRow) missing(got map[string]driftStory) bool {
	for _, want := range row.want {
		s, ok := got[row.named(want.what)]
		if !ok || want.event != "" && !s.actor.Known || want.done() && s.resolved == "" {
			return true
		}
	}
	return false
}

func (row *driftRow) named(text string) string { return strings.ReplaceAll(text, "NAME", row.name) }

var driftToken = regexp.MustCompile(`hmac:[0-9a-f]{12}`)

func (row *driftRow) checkStories(t *testing.T, got map[string]driftStory, made map[string]string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, want := range row.want {
		key := row.named(want.what)
		wanted[key] = true
		s, ok := got[key]
		if !ok {
			t.Errorf("%s is not seen; seen are %q", key, slices.Sorted(maps.Keys(got)))
			continue
		}
		shown := func(v string) string {
			for word, value := range made {
				v = strings.ReplaceAll(v, value, word)
			}
			return driftToken.ReplaceAllString(v, "TOKEN")
		}
		if shown(s.item.Declared) != row.named(want.declared) || shown(s.item.Live) != row.named(want.live) {
			t.Errorf("%s is shown as declared %s, live %s; want %s, %s", key, shown(s.item.Declared), shown(s.item.Live), row.named(want.declared), row.named(want.live))
		}
		if s.item.Severity != want.severity || s.item.Response != want.response || s.item.Default != want.response {
			t.Errorf("%s is %s: %s; want %s: %s", key, s.item.Severity, s.item.Response, want.severity, want.response)
		}
		who := row.who
		if who == "" && want.event != "" {
			who = "user/alice"
		}
		if s.actor.Name != who || s.actor.Event != want.event {
			t.Errorf("%s was done by %q with %q; want %q with %q", key, s.actor.Name, s.actor.Event, who, want.event)
		}
		if how := s.resolved; want.done() && how != "reverted" || !want.done() && how != "" {
			t.Errorf("%s ended as %q", key, how)
		}
	}
	for key, s := range got {
		if !wanted[key] {
			t.Errorf("%s is seen as well: declared %s, live %s, %s %s", key, s.item.Declared, s.item.Live, s.item.Severity, s.item.Response)
		}
	}
}

// checkUnread compares what is told as not read of a row's resources.
func (row *driftRow) checkUnread(t *testing.T, w *driftWorld) {
	t.Helper()
	d, err := w.daemon.Drift(t.Context(), sweepEnvironment)
	check(t, err)
	var got []string
	for _, u := range d.Coverage.Unobservable {
		if strings.HasPrefix(u.Path, "Function/"+row.name+" ") {
			got = append(got, strings.ReplaceAll(u.Path, row.name, "NAME"))
		}
	}
	if !slices.Equal(got, row.unread) {
		t.Errorf("told as not read: %q, not %q", got, row.unread)
	}
}

// show prints a row's outcome as the table has it.
func show(t *testing.T, row *driftRow, got map[string]driftStory, writes []string) {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(got)) {
		s := got[key]
		text := func(v string) string { return fmt.Sprintf("%q", driftToken.ReplaceAllString(v, "TOKEN")) }
		fmt.Fprintf(&b, "\n@%s|{%q, %s, %s, %q, %ss, %q},", row.name, strings.ReplaceAll(key, "/"+row.name, "/NAME"), text(s.item.Declared), text(s.item.Live), s.item.Severity, s.item.Response, s.actor.Event)
		fmt.Fprintf(&b, "\n  by %s, %q, %s", s.actor.Name, s.resolved, s.item.Reason)
	}
	t.Logf("%s\n@%s|W%q", b.String(), row.name, writes)
}

// sameState compares what lives member by member.
func sameState(t *testing.T, got, want map[string]string) {
	t.Helper()
	a, b := map[string]string{}, map[string]string{}
	for key, text := range got {
		flatten(a, key, text)
	}
	for key, text := range want {
		flatten(b, key, text)
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if a[key] != b[key] {
			t.Errorf("%s lives as %q, not %q", key, a[key], b[key])
		}
	}
}

// flatten writes a document as one line a leaf.
func flatten(into map[string]string, path, text string) {
	var fields map[string]json.RawMessage
	var items []json.RawMessage
	switch {
	case json.Unmarshal([]byte(text), &fields) == nil && fields != nil:
		for name, inner := range fields {
			flatten(into, path+"."+name, string(inner))
		}
	case json.Unmarshal([]byte(text), &items) == nil && items != nil:
		for i, inner := range items {
			flatten(into, fmt.Sprintf("%s[%d]", path, i), string(inner))
		}
	default:
		into[path] = text
	}
}

// secretsAreSafe: no value of a variable is anywhere in the journal.
func (w *driftWorld) secretsAreSafe(t *testing.T) {
	for rec, err := range w.store.Records(t.Context(), 0) {
		check(t, err)
		if text := fmt.Sprintf("%+v", rec); rec.Drift != nil && strings.Contains(fmt.Sprintf("%+v", *rec.Drift), driftSecret) {
			t.Errorf("a secret is in the journal: %s", text)
		}
	}
}

// driftSecret is in every value that hands give to variables.
const driftSecret = "hush-hush"
