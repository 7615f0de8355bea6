package web

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However the news of environments come in, a reader that is cut off at any
// line and comes back with the last id it saw reads each line once, and in the
// order of its environment.
func TestACutReaderMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Event // oldest first, as published
		var got []Event
		id := Cursor{}.String()
		seq := uint64(0)
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			for range rapid.IntRange(0, 4).Draw(t, "news") {
				seq++
				name := rapid.SampledFrom([]string{"preview", "production", ""}).Draw(t, "environment")
				// Late news of one environment stand below newer ones of another.
				e := Event{Environment: name, At: noon.Add(time.Duration(seq) * time.Millisecond), Seq: seq}
				if name == "" {
					e.Seq = 0
				}
				all = append(all, e)
			}
			c, err := ParseCursor(id)
			if err != nil {
				t.Fatal(err)
			}
			shown := slices.Clone(all)
			slices.Reverse(shown)
			if rapid.Bool().Draw(t, "late") { // one environment's are published later
				shown = slices.DeleteFunc(shown, func(e Event) bool { return e.Environment == "production" })
			}
			fresh := c.New(shown)
			for _, e := range fresh[:rapid.IntRange(0, len(fresh)).Draw(t, "read")] {
				got = append(got, e)
				c.Read(e)
				id = c.String()
			}
		}
		c, _ := ParseCursor(id)
		shown := slices.Clone(all)
		slices.Reverse(shown)
		got = append(got, c.New(shown)...)
		for _, name := range []string{"preview", "production", ""} {
			of := func(in []Event) []Event {
				return slices.DeleteFunc(slices.Clone(in), func(e Event) bool { return e.Environment != name })
			}
			if !slices.Equal(of(got), of(all)) {
				t.Fatalf("of %q read %v, want %v", name, of(got), of(all))
			}
		}
	})
}

func TestAnIdOfAnotherIsNone(t *testing.T) {
	for _, id := range []string{"", "0", "2;preview=3", "1;preview", "1;preview=-1", "1;=;", strings.Repeat("1;", 300)} {
		if c, err := ParseCursor(id); err == nil {
			t.Errorf("%.40q is read as %v", id, c)
		}
	}
}

// A stream that is opened again with the last id tells what was missed at
// once, of the environments somebody may see, and nothing twice.
func TestAStreamIsTakenUp(t *testing.T) {
	f := shop(1)
	server := httptest.NewServer(serve(t, &f.fake, func(o *Options) { o.View = f }))
	defer server.Close()
	listen := func(id string) (ids, data []string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer the-token")
		req.Header.Set("Last-Event-ID", id)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if got, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				ids = append(ids, got)
			}
			if got, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				data = append(data, got)
			}
			if lines.Text() == "" && (len(ids) > 0 && id == "" || len(data) > 0 && data[len(data)-1] == "{}") {
				return ids, data
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return nil, nil
	}
	f.news = []Event{{Environment: "preview", Seq: 7, At: noon, Text: "old"}}
	start, _ := listen("")
	f.news = []Event{{Environment: "preview", Seq: 9, At: noon, Text: "newer"}, {Environment: "production", Seq: 4, At: noon, Text: "late"}, {Environment: "preview", Seq: 7, At: noon, Text: "old"}}
	ids, data := listen(start[0])
	if len(data) != 3 || !strings.Contains(data[0], "late") || !strings.Contains(data[1], "newer") {
		t.Errorf("told %q", data)
	}
	if _, data := listen(ids[0]); len(data) != 2 || !strings.Contains(data[0], "newer") {
		t.Errorf("after the first of them told %q", data)
	}
	if _, data := listen(ids[1]); len(data) != 1 {
		t.Errorf("told twice: %q", data)
	}
}
