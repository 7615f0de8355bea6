package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mooring.dev/policy"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/record"
)

//go:embed *.html style.css live.js
var assets embed.FS

// templates of the page, which are part of the binary.
func templates() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"short": func(s string) string {
			s = strings.TrimPrefix(s, "sha256:")
			return s[:min(12, len(s))]
		},
		"ago": func(now, t time.Time) string {
			if t.IsZero() {
				return "never"
			}
			return age(now.Sub(t)) + " ago"
		},
		"text": valueText, "brief": brief,
		"sum": func(m map[string]int) int {
			n := 0
			for _, v := range m {
				n += v
			}
			return n
		},
		"share": func(part, whole int64) string {
			if whole == 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f%%", 100*float64(part)/float64(whole))
		},
		"add":     func(a, b int) int { return a + b },
		"group":   grouped,
		"segment": url.PathEscape, // of a path: a name may have slashes
		"chart":   chartOf, "timeline": timelineOf,
		"dict": func(pairs ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i+1 < len(pairs); i += 2 {
				m[fmt.Sprint(pairs[i])] = pairs[i+1]
			}
			return m
		},
	}).ParseFS(assets, "*.html")
}

// valueText is the value of a field in words; what has parts, as JSON.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// mostOfValue is how many bytes of a value stand in a row; the whole is folded
// below them.
const mostOfValue = 200

// brief is the beginning of a text that is too long for a row; "" where all of it
// fits.
func brief(text string) string {
	if len(text) <= mostOfValue {
		return ""
	}
	return strings.ToValidUTF8(text[:mostOfValue], "") + "…"
}

// grouped is a number that can be read: 10,000.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// frame is what is around every page.
type frame struct {
	Title, Pipeline, Version string
	Environments             []string // those that who looks may see
	Who                      access.Person
	Now                      time.Time
}

func (s *server) frame(who access.Person, title string) frame {
	status := s.status(who)
	f := frame{Title: title, Pipeline: status.Pipeline, Version: s.o.Version, Who: who, Now: s.o.Now()}
	for _, e := range status.Environments {
		f.Environments = append(f.Environments, e.Name)
	}
	return f
}

// Operates: who looks may hold, resume, roll back, promote and answer drift.
func (f frame) Operates(environment string) bool { return f.Who.May(access.Operate, environment) }

// Approves: who looks may say yes or no to content.
func (f frame) Approves(environment string) bool { return f.Who.May(access.Approve, environment) }

// pages registers the views.
func (s *server) pages() {
	s.closed("GET /{$}", s.pipelinePage)
	s.closed("GET /environments/{name}", s.environmentPage)
	s.closed("GET /environments/{name}/releases/{release}", s.releasePage)
	s.closed("GET /decisions", s.decisionsPage)
	s.closed("GET /style.css", asset("style.css", "text/css; charset=utf-8"))
	s.closed("GET /live.js", asset("live.js", "text/javascript; charset=utf-8"))
	s.forms()
	if v, ok := s.o.View.(Shelf); ok {
		s.shelf(v)
	}
	if n, ok := s.o.View.(Notices); ok {
		s.stream(n)
	}
}

func (s *server) pipelinePage(w http.ResponseWriter, r *http.Request, who access.Person) {
	status := s.status(who)
	all, needs := map[string][]Trouble{}, []string{}
	for _, e := range status.Environments {
		drift, err := s.o.View.Drift(r.Context(), e.Name)
		if err != nil {
			drift = Drift{} // not looked at yet, as its state says
		}
		all[e.Name] = troubles(e, s.drifts.differences(e.Name, drift), s.o.Now())
		if slices.ContainsFunc(all[e.Name], func(t Trouble) bool { return t.Level != "move" }) {
			needs = append(needs, e.Name)
		}
	}
	s.show(w, "pipeline.html", map[string]any{"Frame": s.frame(who, "environments"), "Status": status, "Troubles": all, "Needs": needs, "History": s.events(who, "", 30)})
}

// linesPerPage is how much of the history an environment's view shows, and
// dayLines how much of it the picture of the last day is drawn from.
const linesPerPage, dayLines = 30, 500

// holdsPerPage is how many holds it shows, those of the whole environment first.
const holdsPerPage = 50

// perPage is how many resources a page of them shows.
const perPage = 100

func (s *server) environmentPage(w http.ResponseWriter, r *http.Request, who access.Person) {
	name, q := r.PathValue("name"), r.URL.Query()
	for _, e := range s.status(who).Environments {
		if e.Name != name {
			continue
		}
		history := s.o.View.History(name, dayLines)
		data := map[string]any{
			"Frame": s.frame(who, name), "History": history[:min(len(history), linesPerPage)], "Day": history,
			"Done": q.Get("done"), "Refused": q.Get("refused"), "Query": q, "States": []string{"in_place", "missing", "differs", "settling", "unknown", "drifted"},
		}
		var faults []string
		drift, err := s.o.View.Drift(r.Context(), name)
		if err != nil {
			faults = append(faults, err.Error())
		}
		differs := s.drifts.differences(name, drift)
		data["Drift"], data["Differences"], data["Blind"] = drift, differs.page(q.Get("drift"), q.Get("item")), blind(drift.Coverage.Unobservable)
		data["Troubles"] = troubles(e, differs, s.o.Now())
		e.Holds = slices.Clone(e.Holds)
		slices.SortStableFunc(e.Holds, func(a, b HoldStatus) int { return strings.Compare(a.Resource, b.Resource) })
		rollouts, err := s.o.View.Rollouts(r.Context(), RolloutQuery{Environment: name, Limit: 10})
		if data["Rollouts"] = rollouts; err != nil && drift.Environment != "" {
			faults = append(faults, err.Error())
		}
		if v, ok := s.o.View.(Shelf); ok {
			if all, err := v.Resources(name); err == nil {
				data["Page"] = pageOf(all, q, perPage)
			}
		}
		data["Environment"], data["Holds"], data["Faults"] = e, e.Holds[:min(len(e.Holds), holdsPerPage)], faults
		s.show(w, "environment.html", data)
		return
	}
	s.missing(w, who, "", "There is no environment "+name+", or it is not yours to see. One that was taken out of mooring.yaml and removed is in the history alone.")
}

// judged is a decision record as the page shows it.
type judged struct {
	RecordedDecision
	Said  policy.Recorded
	Fault string // it could not be read
	whole bool   // all that was found is shown
}

// findingsPerDecision is how many findings are shown of each among others.
const findingsPerDecision = 10

// Few are the first of what was found.
func (j judged) Few() []policy.Finding {
	if all := j.Said.Result.Findings; j.whole || len(all) <= findingsPerDecision {
		return all
	}
	return j.Said.Result.Findings[:findingsPerDecision]
}

// More is how many those are not.
func (j judged) More() int { return len(j.Said.Result.Findings) - len(j.Few()) }

func (s *server) decisionsPage(w http.ResponseWriter, r *http.Request, who access.Person) {
	q, err := decisionQuery(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	if q.Before, err = seqOf(r.URL.Query(), "before"); err != nil {
		refuse(w, http.StatusBadRequest, err.Error(), "")
		return
	}
	if q.Limit == 0 {
		q.Limit = perPage
	}
	if q.Since.IsZero() && q.ID == "" {
		q.Since = s.o.Now().Add(-24 * time.Hour)
	}
	q.Brief, q.Newest = true, true
	page, err := s.o.View.Decisions(r.Context(), q)
	data := map[string]any{"Frame": s.frame(who, "decisions"), "Next": page.Next, "Newest": q.Before == 0, "Since": q.Since, "Week": s.o.Now().Add(-7 * 24 * time.Hour), "Environment": q.Environment, "Point": q.Point,
		"Points": []policy.Point{policy.Admission, policy.Promotion, policy.Rollout, policy.Drift, policy.Notify}}
	if err != nil {
		data["Fault"] = err.Error()
	}
	var shown []judged
	for _, d := range page.Decisions {
		if d.Environment != "" && !who.May(access.See, d.Environment) {
			continue
		}
		j := judgedOf(d)
		j.whole = q.ID != ""
		shown = append(shown, j)
	}
	data["Decisions"] = shown
	if who.May(access.Operate, q.Environment) {
		data["Audit"] = s.audited(who, perPage, func(a record.Audit) bool { return q.Environment == "" || a.Environment == q.Environment })
	}
	s.show(w, "decisions.html", data)
}

func (s *server) show(w http.ResponseWriter, name string, data any) {
	s.showAs(w, http.StatusOK, name, data)
}

func (s *server) showAs(w http.ResponseWriter, status int, name string, data any) {
	var out strings.Builder
	if err := s.templates.ExecuteTemplate(&out, name, data); err != nil {
		refuse(w, http.StatusInternalServerError, "the page could not be made", "")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(out.String()))
}

// asset is a file of the page.
func asset(name, kind string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		data, err := assets.ReadFile(name)
		if err != nil {
			refuse(w, http.StatusInternalServerError, name+" is missing", "")
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data)
	}
}
