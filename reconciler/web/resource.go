package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
)

// Shelf is a View that shows single resources.
type Shelf interface {
	// Resources are those an environment declares, as last looked at, in the
	// order of their names.
	Resources(environment string) ([]ResourceStatus, error)
	// Resource is one of them, field by field.
	Resource(ctx context.Context, environment, resource string) (ResourceDetail, error)
}

// ResourceStatus is how one declared resource stands.
type ResourceStatus struct {
	Resource string `json:"resource"`
	// State is in_place | missing | differs | settling | unknown.
	State   string    `json:"state"`
	Version string    `json:"version,omitempty"` // of a function or workflow, the one that carries what is applied
	Drift   int       `json:"drift"`             // open differences
	SeenAt  time.Time `json:"seen_at,omitzero"`  // when the oldest part of it was read
}

// ResourceDetail is one declared resource: what is declared, what was last
// applied and what lives, side by side.
type ResourceDetail struct {
	ResourceStatus
	Origin   string            `json:"origin"` // file:line of its manifest
	Failed   string            `json:"failed,omitempty"`
	Note     string            `json:"note,omitempty"` // the platform's own explanation
	Error    string            `json:"error,omitempty"`
	Fields   []ResourceField   `json:"fields"`
	Versions []ResourceVersion `json:"versions,omitempty"` // newest first
	Items    []DriftItem       `json:"items"`
}

// ResourceField is one field; values are JSON values, or tokens. A value that
// is absent is null.
type ResourceField struct {
	Path     string `json:"path"`
	Declared any    `json:"declared"`
	Applied  any    `json:"applied"`
	Live     any    `json:"live"`
	// Unseen is why it could not be read; then Live says nothing.
	Unseen string `json:"unseen,omitempty"`
}

// Differs: what lives is not what is declared.
func (f ResourceField) Differs() bool {
	return f.Unseen == "" && fmt.Sprint(f.Declared) != fmt.Sprint(f.Live)
}

// ResourceVersion is one published version.
type ResourceVersion struct {
	Number string `json:"number"`
	Ready  bool   `json:"ready"`
	Failed string `json:"failed,omitempty"`
	Weight int    `json:"weight"` // percent of the calls it serves now
}

// peekTimeout is how long a request waits for a pass to end, to see a resource.
const peekTimeout = 5 * time.Second

// shelf registers what shows resources.
func (s *server) shelf(v Shelf) {
	s.api("GET /api/v1/environments/{name}/resources", purpose{does: "The declared resources, a page at a time.", answer: ResourcePage{}, query: []string{"q", "state", "after", "limit"}}, func(r *http.Request) (any, error) {
		all, err := v.Resources(r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		limit, err := limitOf(r, 1000)
		return pageOf(all, r.URL.Query(), limit), err
	})
	s.api("GET /api/v1/environments/{name}/resources/{resource...}", purpose{does: "One resource: declared, applied and live, field by field.", answer: ResourceDetail{}}, func(r *http.Request) (any, error) {
		return peek(r, v)
	})
	s.closed("GET /environments/{name}/resources/{resource...}", func(w http.ResponseWriter, r *http.Request, who access.Person) {
		detail, err := peek(r, v)
		fault := ""
		if err != nil {
			fault = err.Error()
		}
		slices.SortStableFunc(detail.Fields, func(a, b ResourceField) int { return rankOf(a) - rankOf(b) })
		name, wanted := r.PathValue("name"), r.PathValue("resource")
		s.show(w, "resource.html", map[string]any{
			"Frame": s.frame(who, wanted+" in "+name), "Name": name, "Wanted": wanted, "Rollout": s.moved(r.Context(), name, wanted),
			"Resource": detail, "Fault": fault, "History": about(s.o.View.History(name, 1000), wanted),
		})
	})
}

// rankOf puts what differs first, then what cannot be seen.
func rankOf(f ResourceField) int {
	switch {
	case f.Differs():
		return 0
	case f.Unseen != "":
		return 1
	}
	return 2
}

// newestRollouts is among how many a function's own last is looked for.
const newestRollouts = 5

// moved is the newest rollout that a function or workflow moved in, with the
// looks at it alone; nil where there is none.
func (s *server) moved(ctx context.Context, environment, resource string) *Rollout {
	rollouts, err := s.o.View.Rollouts(ctx, RolloutQuery{Environment: environment, Looks: true, Limit: newestRollouts})
	if err != nil { // what the journal cannot tell now, the release's view says
		return nil
	}
	for _, r := range rollouts {
		if r.Looks = looksAt(r.Looks, resource); len(r.Looks) > 0 {
			return &r
		}
	}
	return nil
}

func peek(r *http.Request, v Shelf) (ResourceDetail, error) {
	ctx, cancel := context.WithTimeout(r.Context(), peekTimeout)
	defer cancel()
	detail, err := v.Resource(ctx, r.PathValue("name"), r.PathValue("resource"))
	if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
		return detail, fmt.Errorf("%s is being looked at; try again in a moment", r.PathValue("name"))
	}
	return detail, err
}

// about are the events of one resource.
func about(events []Event, resource string) []Event {
	out := []Event{}
	for _, e := range events {
		if e.Resource == resource {
			out = append(out, e)
		}
	}
	return out
}

// ResourcePage is some of an environment's resources. After continues behind
// them; "" at the end.
type ResourcePage struct {
	Resources []ResourceStatus `json:"resources"`
	Total     int              `json:"total"` // that fit the question
	After     string           `json:"after,omitempty"`
}

// pageOf are the resources a query asks for: state= is one state or "drifted",
// q= a part of the name, after= the last of the page before.
func pageOf(all []ResourceStatus, q url.Values, limit int) ResourcePage {
	page := ResourcePage{Resources: []ResourceStatus{}}
	text, state, after := q.Get("q"), q.Get("state"), q.Get("after")
	for _, r := range all {
		if !has(r.Resource, text) || state != "" && r.State != state && (state != "drifted" || r.Drift == 0) {
			continue
		}
		page.Total++
		if r.Resource <= after {
			continue
		}
		if len(page.Resources) < limit {
			page.Resources = append(page.Resources, r)
		} else {
			page.After = page.Resources[len(page.Resources)-1].Resource
		}
	}
	return page
}

// has: a name has a text in it, in capitals or not.
func has(name, text string) bool {
	for at := 0; at+len(text) <= len(name); at++ {
		if strings.EqualFold(name[at:at+len(text)], text) {
			return true
		}
	}
	return false
}
