package lambda

import (
	"encoding/base64"
	"strconv"
)

// page cuts one page out of rows, which are sorted by key. A marker holds the
// last key shown, so a listing stays whole while others come and go. most is
// the largest page whatever the caller asks for.
func page[T any](q *request, rows []T, most int, key func(T) string) ([]T, string, error) {
	size := most
	if text := q.query.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10000 {
			return nil, "", constraint(text, "maxItems", "Member must have value between 1 and 10000")
		}
		size = min(n, most)
	}
	start := 0
	if marker := q.query.Get("Marker"); marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil || len(last) == 0 {
			return nil, "", invalid("Invalid marker: %s", marker)
		}
		for start < len(rows) && key(rows[start]) <= string(last[1:]) {
			start++
		}
	}
	rows = rows[start:]
	if len(rows) <= size {
		return rows, "", nil
	}
	last := append([]byte{'.'}, key(rows[size-1])...) // the unqualified function's key is empty, and a marker may not be
	return rows[:size], base64.RawURLEncoding.EncodeToString(last), nil
}

// listing is a page as the API shows it; the last one has no marker.
func listing(name string, rows any, next string) map[string]any {
	out := map[string]any{name: rows}
	if next != "" {
		out["NextMarker"] = next
	}
	return out
}
