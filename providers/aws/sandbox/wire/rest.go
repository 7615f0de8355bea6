package wire

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Route is how an operation of a REST service is called. Members come from the
// path ({Name}), the query (first letters become capitals) and the body.
type Route struct {
	Method, Pattern, Operation string
	// Lists names the members of the query that are lists.
	Lists []string
}

// route finds the route of a request, with the members its path and query
// hold; nil when there is none.
func (m *Model) route(r *http.Request) (*Route, map[string]any) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i := range m.Routes {
		route := &m.Routes[i]
		if route.Method != r.Method {
			continue
		}
		if members, ok := route.fits(parts); ok {
			route.query(r.URL.Query(), members)
			return route, members
		}
	}
	return nil, nil
}

// fits matches the parts of a path. A pattern ending in {Member+} takes all
// that is left.
func (route *Route) fits(parts []string) (map[string]any, bool) {
	members := map[string]any{}
	pattern := strings.Split(strings.Trim(route.Pattern, "/"), "/")
	for i, p := range pattern {
		if i >= len(parts) {
			return nil, false
		}
		name, isMember := strings.CutPrefix(p, "{")
		if !isMember {
			if parts[i] != p {
				return nil, false
			}
			continue
		}
		text := parts[i]
		if name, isMember = strings.CutSuffix(name, "+}"); isMember {
			text, parts = strings.Join(parts[i:], "/"), parts[:i+1]
		}
		value, err := url.PathUnescape(text)
		if err != nil || value == "" {
			return nil, false
		}
		members[strings.TrimSuffix(name, "}")] = value
	}
	return members, len(parts) == len(pattern)
}

func (route *Route) query(values url.Values, into map[string]any) {
	for key, all := range values {
		name := strings.ToUpper(key[:min(1, len(key))]) + key[min(1, len(key)):]
		if !slices.Contains(route.Lists, name) {
			into[name] = all[0]
			continue
		}
		list := []any{}
		for _, one := range all {
			list = append(list, one)
		}
		into[name] = list
	}
}

// parse reads the members of a request, wherever they stand.
func (m *Model) parse(p Protocol, r *http.Request, body []byte) (any, error) {
	tree, err := Parse(p, r, body)
	if err != nil || p != RESTJSON {
		return tree, err
	}
	_, members := m.route(r)
	all, ok := tree.(map[string]any)
	if !ok {
		return tree, nil
	}
	for name, value := range members {
		all[name] = value
	}
	return all, nil
}
