package diagnose

import (
	"errors"
	"strings"
	"testing"
)

func TestOfIssuer(t *testing.T) {
	if c := OfIssuer(Issuer{URL: "https://issuer.example"}); c.Result != OK || c.Scope != "https://issuer.example" {
		t.Errorf("%+v", c)
	}
	if c := OfIssuer(Issuer{URL: "https://issuer.example", Err: errors.New("404")}); c.Result != Fault || !strings.Contains(c.Found, "404") || c.Remedy == "" {
		t.Errorf("%+v", c)
	}
}
