package diagnose

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// TestCertificate: an end is told a fortnight before it comes, and a name that
// people do not come by.
func TestCertificate(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for want, change := range map[string]func(*Certificate){
		"ok: good until 2026-03-16":        func(*Certificate) {},
		"warning: ends on 2026-03-14":      func(c *Certificate) { c.Leaf.NotAfter = now.Add(13 * 24 * time.Hour) },
		"fault: ended on 2026-02-28":       func(c *Certificate) { c.Leaf.NotAfter = now.Add(-24 * time.Hour) },
		"fault: begins on 2026-03-02":      func(c *Certificate) { c.Leaf.NotBefore = now.Add(24 * time.Hour) },
		"fault: no such file":              func(c *Certificate) { c.Leaf, c.Err = nil, errors.New("no such file") },
		"warning: sent to other.example":   func(c *Certificate) { c.Page = "other.example" },
		"ok: the certificate of":           func(c *Certificate) { c.Page = "mooring.example" },
		"warning: is of mooring.example":   func(c *Certificate) { c.Page = "10.0.0.1" },
		"warning: the certificate of a.pe": func(c *Certificate) { c.Leaf.NotAfter = now.Add(time.Minute) },
	} {
		c := Certificate{From: "a.pem", Leaf: &x509.Certificate{NotAfter: now.Add(15 * 24 * time.Hour), DNSNames: []string{"mooring.example"}}, Now: now}
		change(&c)
		one(t, want, OfCertificate(c), want)
	}
}

// TestQuoted: what a shell would take apart is kept together.
func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"shop.git": "shop.git", "Id=mooring,Arn=arn:aws:sqs:eu-west-1:1:q": "Id=mooring,Arn=arn:aws:sqs:eu-west-1:1:q",
		"": "''", "a b": "'a b'", "$(rm)": "'$(rm)'", "it's": `'it'\''s'`, `{"a":1}`: `'{"a":1}'`, "*": "'*'",
	} {
		if got := Quoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
