package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

// replies keeps what the sandbox answers through a cloud's door.
type replies struct {
	mu   sync.Mutex
	byID map[string][]byte // by the request's id
}

// kept passes an answer on and keeps a copy.
type kept struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.body.Write(p)
	return k.ResponseWriter.Write(p)
}

func (a *replies) keep(w http.ResponseWriter, serve func(http.ResponseWriter)) {
	k := &kept{ResponseWriter: w}
	serve(k)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID[w.Header().Get("X-Amzn-Requestid")] = k.body.Bytes()
}

func (a *replies) of(c wire.Call) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byID[c.ID]
}

// answered are, by row, the calls of Mooring's whose answer about the row was
// another after the hands began than before.
func (w *driftWorld) answered(rows []driftRow) map[string]map[string]bool {
	names, shown := w.namesOf(rows), map[string]map[string]bool{}
	for i := range rows {
		shown[rows[i].name] = map[string]bool{}
	}
	type question struct{ asked, row string }
	before, asked := map[question]string{}, map[string]bool{}
	read := map[string]struct {
		one   bool
		about map[string]string
	}{}
	pages := map[string][]string{} // the rows that one page of a listing told of
	for _, c := range w.cloud.own(time.Time{}) {
		if !ofInterest(c.Operation) || c.Status >= 500 || c.Status == http.StatusTooManyRequests {
			continue
		}
		params, err := json.Marshal(c.Params)
		check(w.t, err)
		text := w.cloud.replies.of(c)
		exchange := string(params) + string(text) // most are as they were before
		known, ok := read[exchange]
		if !ok {
			known.one, known.about = aboutRows(string(params), text, names)
			read[exchange] = known
		}
		one, about := known.one, known.about
		whole := c.Operation
		if one {
			whole += string(params)
		}
		early := c.At.Before(w.since)
		for row, text := range about {
			q := question{whole, row}
			old, known := before[q]
			switch {
			case early:
				before[q] = text
			case known && old != text, !known && (asked[whole] || one && !asked[c.Operation+row] && !asked[c.Operation]):
				shown[row][c.Operation] = true
			}
			if early {
				asked[c.Operation+row] = true
			}
		}
		if early {
			asked[whole] = true
		}
		page := c.Operation + string(params)
		for _, row := range pages[page] {
			if _, there := about[row]; !there && !early {
				shown[row][c.Operation] = true // it is not there any more
			}
		}
		if early && !one {
			pages[page] = slices.Collect(maps.Keys(about))
		}
	}
	return shown
}

// namesOf are the rows by what AWS knows their resources by.
func (w *driftWorld) namesOf(rows []driftRow) map[string]string {
	names := map[string]string{}
	for i := range rows {
		name := rows[i].name
		names[physicalName(name)] = name
		if strings.Contains(rows[i].declared, "kind: Secret") || strings.Contains(rows[i].declared, "kind: Parameter") {
			names[name] = name
		}
		if strings.Contains(rows[i].declared, "kind: Api") {
			names[w.python.api(physicalName(name))] = name
		}
	}
	return names
}

// aboutRows is what an answer says of each row: all of it where one row was
// asked about, else the items that mention only that row.
func aboutRows(params string, answer []byte, names map[string]string) (one bool, about map[string]string) {
	about = map[string]string{}
	// A role that was made again differs in its id alone.
	tree := treeOf(bytes.ReplaceAll(answer, []byte("RoleId>"), []byte("Identity>")))
	if asked := mentioned(params, names); len(asked) == 1 {
		about[asked[0]] = steadyText(tree)
		return true, about
	}
	var walk func(node any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(node)) {
				walk(node[name])
			}
		case []any:
			for _, item := range node {
				text := steadyText(item)
				if found := mentioned(text, names); len(found) == 1 {
					about[found[0]] += text
				} else if len(found) > 1 {
					walk(item)
				}
			}
		}
	}
	walk(tree)
	return false, about
}

func steadyText(tree any) string {
	text, _ := json.Marshal(steady(tree)) // of what was read from text
	return string(text)
}

// mentioned are the rows whose names stand in a text, by themselves or as the
// beginning of a longer one.
func mentioned(text string, names map[string]string) []string {
	found := map[string]bool{}
	for _, word := range nameInText.FindAllString(text, -1) {
		for word != "" {
			if row, ok := names[word]; ok {
				found[row] = true
				break
			}
			word = word[:max(0, strings.LastIndexByte(word, '-'))]
		}
	}
	return sortedSet(found)
}

var nameInText = regexp.MustCompile(`[a-z0-9][a-z0-9-]+`)

// treeOf reads an answer of either protocol. What is none is nothing.
func treeOf(answer []byte) any {
	var tree any
	if json.Unmarshal(answer, &tree) == nil {
		return tree
	}
	var root xmlNode
	if xml.NewDecoder(bytes.NewReader(answer)).Decode(&root) != nil && len(answer) > 0 {
		return string(answer)
	}
	return root.tree()
}

type xmlNode struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []xmlNode `xml:",any"`
}

// tree is a node as JSON would have it: a list where children have one name.
func (n *xmlNode) tree() any {
	if len(n.Children) == 0 {
		return n.Text
	}
	if n.Children[0].XMLName.Local == "member" {
		items := make([]any, len(n.Children))
		for i := range n.Children {
			items[i] = n.Children[i].tree()
		}
		return items
	}
	out := map[string]any{}
	for i := range n.Children {
		name := n.Children[i].XMLName.Local
		if had, ok := out[name].([]any); ok {
			out[name] = append(had, n.Children[i].tree())
		} else if had, ok := out[name]; ok {
			out[name] = []any{had, n.Children[i].tree()}
		} else {
			out[name] = n.Children[i].tree()
		}
	}
	return out
}
