package apigateway

import (
	"regexp"
	"strings"
)

var (
	keyMethod = regexp.MustCompile(`^(GET|PUT|POST|PATCH|DELETE|HEAD|OPTIONS|ANY)$`)
	keyPart   = regexp.MustCompile(`^([^{}/ ]+|\{[A-Za-z0-9_.-]+\}|\{[A-Za-z0-9_.-]+\+\})$`)
)

// validKey tells what may be a route's key: $default, or a method and a path
// whose last part may take all that is left.
func validKey(key string) bool {
	if key == "$default" {
		return true
	}
	method, path, ok := strings.Cut(key, " ")
	if !ok || !keyMethod.MatchString(method) || !strings.HasPrefix(path, "/") {
		return false
	}
	parts := split(path)
	for i, p := range parts {
		if !keyPart.MatchString(p) || strings.HasSuffix(p, "+}") && i < len(parts)-1 {
			return false
		}
	}
	return true
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// match finds the most telling route of a request, with the variables of its
// path: whole paths before those with variables, these before greedy ones, a
// method before ANY, and $default last.
func (a *api) match(method, path string) (*routeView, map[string]string) {
	var best *routeView
	var variables map[string]string
	rank := -1
	for _, r := range a.routes {
		got, vars := fits(r.Key, method, path)
		if got > rank || got == rank && got >= 0 && r.Key < best.Key {
			best, variables, rank = r, vars, got
		}
	}
	return best, variables
}

// fits ranks how a key fits a request; -1: not at all.
func fits(key, method, path string) (rank int, variables map[string]string) {
	if key == "$default" {
		return 0, nil
	}
	want, pattern, _ := strings.Cut(key, " ")
	if want != "ANY" && want != method {
		return -1, nil
	}
	parts, have := split(pattern), split(path)
	rank, variables = 1_000_000, map[string]string{}
	for i, p := range parts {
		name, greedy := strings.CutSuffix(strings.Trim(p, "{}"), "+")
		switch {
		case strings.HasPrefix(p, "{") && greedy:
			if i >= len(have) {
				return -1, nil
			}
			variables[name] = strings.Join(have[i:], "/")
			return finish(want, rank-100_000+i*10), variables
		case i >= len(have):
			return -1, nil
		case strings.HasPrefix(p, "{"):
			variables[name] = have[i]
			rank -= 1000
		case p != have[i]:
			return -1, nil
		}
	}
	if len(have) != len(parts) {
		return -1, nil
	}
	return finish(want, rank), variables
}

// finish puts a method before ANY.
func finish(method string, rank int) int {
	if method == "ANY" {
		return rank - 1
	}
	return rank
}
