package sources

import (
	"maps"
	"slices"
	"strings"
)

// ParseTrailers reads the "Key: value" lines of a message's last paragraph,
// the subject's own paragraph excepted. A line that starts with a blank goes
// on with the value before it; a key that occurs again adds a line to its
// value. A paragraph with any other line in it holds no trailers.
func ParseTrailers(message string) map[string]string {
	paragraphs := strings.Split(strings.TrimSpace(strings.ReplaceAll(message, "\r\n", "\n")), "\n\n")
	if len(paragraphs) < 2 {
		return nil
	}
	trailers := map[string]string{}
	last := ""
	for line := range strings.SplitSeq(strings.Trim(paragraphs[len(paragraphs)-1], "\n"), "\n") {
		if last != "" && strings.HasPrefix(line, " ") {
			trailers[last] += " " + strings.TrimSpace(line)
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if !found || !trailerKey(key) {
			return nil
		}
		value = strings.TrimSpace(value)
		if before, again := trailers[key]; again {
			value = before + "\n" + value
		}
		trailers[key], last = value, key
	}
	return trailers
}

// AppendTrailers adds trailers to a message as its last paragraph, sorted by
// key. Line breaks within a value become repeated keys, so that
// ParseTrailers reads the same map back. Keys that could not be read back
// (anything but letters, digits and hyphens) are left out.
func AppendTrailers(message string, trailers map[string]string) string {
	var lines strings.Builder
	for _, key := range slices.Sorted(maps.Keys(trailers)) {
		if !trailerKey(key) {
			continue
		}
		for value := range strings.SplitSeq(trailers[key], "\n") {
			lines.WriteString(key + ": " + strings.TrimSpace(value) + "\n")
		}
	}
	if lines.Len() == 0 {
		return message
	}
	return strings.TrimRight(message, "\n") + "\n\n" + lines.String()
}

func trailerKey(key string) bool {
	if key == "" {
		return false
	}
	return !strings.ContainsFunc(key, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		return !letter && r != '-' && (r < '0' || r > '9')
	})
}
