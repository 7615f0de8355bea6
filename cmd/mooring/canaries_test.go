package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// canaries are secrets by the place each was put in. Each is a word of letters
// and digits that stands nowhere else: no escaping of URLs, JSON or HTML changes
// it, so that those need no look of their own.
type canaries map[string]string

// put makes the secret of a place.
func (c canaries) put(place string) string {
	sum := sha256.Sum256([]byte(place))
	c[place] = "hush" + hex.EncodeToString(sum[:8])
	return c[place]
}

// forms are how a word can stand in something: as it is, in hexadecimal, in
// base64 wherever its bytes begin, and as a digest that anybody can make, from
// which a weak secret is guessed.
func forms(word string) map[string]string {
	sum := sha256.Sum256([]byte(word))
	out := map[string]string{
		"plain": word, "backwards": backwards(word), "hexadecimal": hex.EncodeToString([]byte(word)),
		"digest": hex.EncodeToString(sum[:]), "digest in base64": base64.RawStdEncoding.EncodeToString(sum[:]),
	}
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), word...))
		// The first and the last characters are of other bytes, too.
		out["base64, "+strings.Repeat("+", before)] = text[(before*8+5)/6 : (before+len(word))*8/6]
	}
	return out
}

func backwards(word string) string {
	letters := []byte(word)
	slices.Reverse(letters)
	return string(letters)
}

// needle is a form of a secret, to be found.
type needle struct {
	place, form, text string
	anyCase           bool
}

// stem is the beginning of a needle, in small letters.
type stem [6]byte

// in says which of the secrets stand in something, and how. It reads it once:
// there may be much of it.
func (c canaries) in(data []byte) []string {
	needles, begins := map[stem][]needle{}, [1 << 16]bool{}
	for place, word := range c {
		for form, text := range forms(word) {
			at := stem([]byte(strings.ToLower(text))[:len(stem{})])
			begins[int(at[0])<<8|int(at[1])] = true
			needles[at] = append(needles[at], needle{place, form, text, form == "plain" || form == "hexadecimal"})
		}
	}
	found := map[string]string{}
	small := bytes.Clone(data)
	for i, b := range small {
		if 'A' <= b && b <= 'Z' {
			small[i] = b + 'a' - 'A'
		}
	}
	for at := range max(0, len(small)-len(stem{})+1) {
		if !begins[int(small[at])<<8|int(small[at+1])] {
			continue // nearly always
		}
		for _, n := range needles[stem(small[at:])] {
			here := data[at:min(len(data), at+len(n.text))]
			if string(here) == n.text || n.anyCase && strings.EqualFold(string(here), n.text) {
				found[n.place+", "+n.form] = fmt.Sprintf("%s, %s: …%q…", n.place, n.form, data[max(0, at-160):min(len(data), at+len(n.text)+40)])
			}
		}
	}
	return slices.Sorted(maps.Values(found))
}

// TestCanariesAreFound: in any form, at any place, a secret is found; and none
// where there is none.
func TestCanariesAreFound(t *testing.T) {
	c := canaries{}
	word := c.put("here")
	sum := sha256.Sum256([]byte(word))
	for name, text := range map[string]string{
		"in JSON":           `{"a":"x` + word + `\u00e9"}`,
		"in hexadecimal":    hex.EncodeToString([]byte("user:" + word)),
		"capitals":          strings.ToUpper(word),
		"a digest":          hex.EncodeToString(sum[:]),
		"for a header":      base64.StdEncoding.EncodeToString([]byte("user:" + word)),
		"one byte on":       base64.StdEncoding.EncodeToString([]byte("a" + word + "b")),
		"two bytes on":      base64.URLEncoding.EncodeToString([]byte("ab" + word + "tail")),
		"at the very start": base64.RawStdEncoding.EncodeToString([]byte(word)),
	} {
		if len(c.in([]byte(text))) == 0 {
			t.Errorf("%s: not found in %s", name, text)
		}
	}
	if found := c.in([]byte("hush" + strings.Repeat("0123456789abcdef", 100))); len(found) > 0 {
		t.Errorf("found where there is none: %v", found)
	}
}
