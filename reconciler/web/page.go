package web

import (
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
)

//go:embed page.html environment.html style.css
var assets embed.FS

// templates of the page. They are part of the binary: a fault in them shows in
// every test.
func templates() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"short": func(s string) string {
			s = strings.TrimPrefix(s, "sha256:")
			return s[:min(12, len(s))]
		},
		"ago":  func(now, t time.Time) string { return now.Sub(t).Round(time.Second).String() },
		"text": func(v any) string { return fmt.Sprint(v) },
		"sum": func(m map[string]int) int {
			n := 0
			for _, v := range m {
				n += v
			}
			return n
		},
	}).ParseFS(assets, "*.html"))
}

func (s *server) page(w http.ResponseWriter, _ *http.Request, who access.Person) {
	s.show(w, "page.html", map[string]any{
		"Status": s.status(who), "History": s.events(who, "", 30), "Version": s.o.Version, "Now": s.o.Now(),
	})
}

func (s *server) environmentPage(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	status := s.o.View.Status()
	for _, e := range status.Environments {
		if e.Name != name {
			continue
		}
		drift, err := s.o.View.Drift(r.Context(), name)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		s.show(w, "environment.html", map[string]any{
			"Environment": e, "Pipeline": status.Pipeline, "Drift": drift, "Fault": fault, "History": s.o.View.History(name, 60), "Version": s.o.Version, "Now": s.o.Now(),
		})
		return
	}
	http.NotFound(w, r)
}

func (s *server) show(w http.ResponseWriter, name string, data any) {
	var out strings.Builder
	if err := templates().ExecuteTemplate(&out, name, data); err != nil {
		refuse(w, http.StatusInternalServerError, "the page could not be made", "")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(out.String()))
}

func (s *server) style(w http.ResponseWriter, _ *http.Request) {
	css, err := assets.ReadFile("style.css")
	if err != nil {
		refuse(w, http.StatusInternalServerError, "the style is missing", "")
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(css)
}
