package hosttest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// handler answers one request with a status and a body to be written as JSON.
type handler func(q *http.Request, body []byte) (int, any)

// serve makes a server of routes ("METHOD /path/{wildcard}"); authorised looks
// at the request's credentials.
func (r *Repository) serve(routes map[string]handler, authorised func(*http.Request) bool) *httptest.Server {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, q *http.Request) {
			body, err := io.ReadAll(q.Body)
			if err != nil {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.asked++
			capped(q, r.PageCap)
			status, out := http.StatusUnauthorized, any(map[string]any{"message": "bad credentials " + q.Header.Get("Authorization") + q.Header.Get("PRIVATE-TOKEN")})
			switch {
			case r.broken != 0:
				status, out = r.broken, map[string]any{"message": "we are down"}
			case len(r.refused) > 0:
				status, out = r.refused[0], map[string]any{"message": cmp.Or(r.Words, "not now")}
				for name, values := range r.limited[0] {
					w.Header()[name] = values
				}
				r.refused, r.limited = r.refused[1:], r.limited[1:]
			case !authorised(q):
			case r.ReadOnly && q.Method != http.MethodGet:
				status, out = http.StatusForbidden, map[string]any{"message": "may not write"}
			default:
				status, out = h(q, body)
			}
			w.Header().Set("Content-Type", "application/json")
			if l, ok := out.(list); ok {
				out = l.values
				w.Header().Set("X-Total-Count", strconv.Itoa(l.all)) // as Gitea tells it
				if l.next > 0 {                                      // as GitHub tells it, and as GitLab does
					w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d>; rel="next"`, q.Host, q.URL.Path, l.next))
					w.Header().Set("X-Next-Page", strconv.Itoa(l.next))
				}
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(out)
		})
	}
	return httptest.NewServer(mux)
}

// object is JSON in the making.
type object = map[string]any

func unknown() (int, any) { return http.StatusNotFound, object{"message": "Not Found"} }

func number(q *http.Request) int {
	n, err := strconv.Atoi(q.PathValue("number"))
	if err != nil {
		return 0
	}
	return n
}

func bearer(q *http.Request) bool { return q.Header.Get("Authorization") == "Bearer "+Token }

// text reads members of a body.
func read(body []byte) object {
	out := object{}
	_ = json.Unmarshal(body, &out) // nothing readable has no members
	return out
}

func str(v any) string { s, _ := v.(string); return s }

// in finds a nested member.
func in(v any, path ...string) any {
	for _, p := range path {
		m, _ := v.(object)
		v = m[p]
	}
	return v
}

// list is one page of values, and which comes next; 0 for none.
type list struct {
	values any
	next   int
	all    int
}

func listed[T any](all []T, q *http.Request, sizeName string) list {
	part, next := page(all, q, sizeName)
	return list{part, next, len(all)}
}

// capped asks for no more at once than a server gives.
func capped(q *http.Request, most int) {
	v := q.URL.Query()
	for _, name := range []string{"per_page", "limit", "pagelen"} {
		if n, _ := strconv.Atoi(v.Get(name)); most > 0 && n > most {
			v.Set(name, strconv.Itoa(most))
		}
	}
	q.URL.RawQuery = v.Encode()
}

// page is the part of a list that a query asks for.
func page[T any](all []T, q *http.Request, sizeName string) (part []T, next int) {
	size, _ := strconv.Atoi(q.URL.Query().Get(sizeName))
	n, _ := strconv.Atoi(q.URL.Query().Get("page"))
	if size < 1 {
		size = 30
	}
	n = max(n, 1)
	from, to := min((n-1)*size, len(all)), min(n*size, len(all))
	if to < len(all) {
		next = n + 1
	}
	return all[from:to], next
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
