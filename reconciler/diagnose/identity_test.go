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

func TestOfLogin(t *testing.T) {
	for name, c := range map[string]struct {
		of   Login
		want Result
	}{
		"a public client": {Login{Name: "shop", Back: "/login/shop/callback"}, OK},
		"with a secret":   {Login{Name: "shop", Secret: true}, OK},
		"unsaid":          {Login{Name: "shop", Err: errors.New("it does not say"), Unsaid: true}, Warning},
		"no":              {Login{Name: "shop", Err: errors.New("it does not")}, Fault},
	} {
		got := OfLogin(c.of)
		if got.Result != c.want || got.Name != "login" || got.Scope != "shop" || (got.Remedy == "") != (c.want == OK) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
