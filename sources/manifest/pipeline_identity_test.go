package manifest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const identityPipeline = `apiVersion: mooring.dev/v1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
    - name: preview
      provider: {memory: {}}
  identity:
    issuers:
      - issuer: https://token.actions.githubusercontent.com
        audience: mooring
        roles:
          - {role: operator, environments: [preview], claims: {repository: shop/checkout}}
`

func TestIdentityOfAPipeline(t *testing.T) {
	p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(identityPipeline)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Identity.Issuers; len(got) != 1 || got[0].Name != "sub" || got[0].Roles[0].Claims["repository"] != "shop/checkout" {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct{ old, new, at string }{
		"everybody the issuer knows": {"{repository: shop/checkout}", "{}", "13:"},
		"no claims":                  {", claims: {repository: shop/checkout}", "", "13:"},
		"unknown environment":        {"environments: [preview]", "environments: [previw]", "13:"},
		"keys on the way":            {"https://token", "http://token", "10:"},
		"another address in it":      {"https://token", "https://you@token", "10:"},
		"no audience":                {"        audience: mooring\n", "", "10:"},
		"unknown role":               {"role: operator", "role: owner", "13:"},
		"no roles":                   {"- {role: operator, environments: [preview], claims: {repository: shop/checkout}}", "[]", "1"},
	} {
		_, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(strings.Replace(identityPipeline, c.old, c.new, 1))}})
		if err == nil || !strings.Contains(err.Error(), PipelineFile+":"+c.at) {
			t.Errorf("%s: %v, want a fault at %s", name, err, c.at)
		}
	}
	local := strings.Replace(identityPipeline, "https://token.actions.githubusercontent.com", "http://127.0.0.1:9000", 1)
	if _, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(local)}}); err != nil {
		t.Errorf("an issuer on this machine: %v", err)
	}
}

// What docs/security.md shows is a pipeline's.
func TestIdentityOfTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ issuers, logins, people int }{"identity": {2, 0, 0}, "login": {2, 2, 0}, "people": {1, 0, 1}} {
		_, rest, ok := strings.Cut(string(text), "<!-- "+name+" -->\n```yaml\n")
		block, _, ends := strings.Cut(rest, "```")
		if !ok || !ends {
			t.Fatalf("docs/security.md shows no %s", name)
		}
		before, _, _ := strings.Cut(identityPipeline, "  identity:\n")
		before += "    - {name: production, provider: {memory: {}}}\n"
		p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(before + "  " + strings.ReplaceAll(block, "\n", "\n  "))}})
		if err != nil || len(p.Identity.Issuers) != want.issuers || len(p.Identity.People) != want.people {
			t.Fatalf("%s: %+v, %v", name, p, err)
		}
		for _, of := range p.Identity.Issuers {
			if of.Login != nil {
				want.logins--
			}
		}
		if want.logins != 0 {
			t.Errorf("%s: %d logins less than it shows", name, want.logins)
		}
	}
}

func TestLoginsOfAPipeline(t *testing.T) {
	login := "        audience: mooring\n        login: {name: shop, client: mooring, secret: {fromEnv: CLIENT}, scopes: [groups], session: 8h}\n"
	good := strings.Replace(identityPipeline, "        audience: mooring\n", login, 1)
	p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(good)}})
	if err != nil {
		t.Fatal(err)
	}
	if l := p.Identity.Issuers[0].Login; l.Shown() != "shop" || l.Secret.FromEnv != "CLIENT" || time.Duration(l.Session) != 8*time.Hour {
		t.Errorf("%+v", l)
	}
	_, second, _ := strings.Cut(good, "    issuers:\n")
	for name, c := range map[string]struct{ old, new, at string }{
		"no client":             {"client: mooring, ", "", "12:"},
		"a secret in the text":  {"{fromEnv: CLIENT}", "hunter2", "12:"},
		"a name with a slash":   {"name: shop, ", "name: shop/x, ", "12:"},
		"more than a day":       {"session: 8h", "session: 25h", "12:"},
		"before it begins":      {"session: 8h", "session: -1h", "12:"},
		"two scopes in one":     {"[groups]", `["a b"]`, "12:"},
		"the name of another's": {second, second + second, "17:"},
	} {
		_, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(strings.Replace(good, c.old, c.new, 1))}})
		if err == nil || !strings.Contains(err.Error(), PipelineFile+":"+c.at) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want a fault at %s", name, err, c.at)
		}
	}
}

func TestPeopleOfAPipeline(t *testing.T) {
	good := identityPipeline + `    people:
      - name: ann
        tokens: [ann-laptop]
        identities: [{issuer: "https://token.actions.githubusercontent.com", subject: "17"}]
      - name: bob
`
	p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(good)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"ann", "ann-laptop"} {
		if who, ok := p.Identity.Holder(token); !ok || who.Name != "ann" {
			t.Errorf("token %s is of %+v", token, who)
		}
	}
	if who, ok := p.Identity.Holder("eve"); ok {
		t.Errorf("a token nobody named is of %+v", who)
	}
	if who, ok := p.Identity.At("https://token.actions.githubusercontent.com", "17"); !ok || who.Name != "ann" {
		t.Errorf("17 is %+v", who)
	}
	for name, c := range map[string]struct{ old, new, at string }{
		"two of one name":         {"name: bob", "name: ann", "18:"},
		"another's token":         {"name: bob", "name: bob\n        tokens: [ann-laptop]", "19:"},
		"a token of another name": {"name: bob", "name: ann-laptop", "18:"},
		"another's identity":      {"name: bob", `name: bob` + "\n        identities: [{issuer: \"https://token.actions.githubusercontent.com\", subject: \"17\"}]", "19:"},
		"an issuer nobody named":  {`[{issuer: "https://token.actions`, `[{issuer: "https://other.actions`, "17:"},
		"a name with a colon":     {"name: bob", `name: "local:bob"`, "18:"},
		"a name with brackets":    {"name: bob", `name: "bob (unverified)"`, "18:"},
		"a subject of nobody":     {`subject: "17"`, `subject: ""`, "17:"},
	} {
		_, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(strings.Replace(good, c.old, c.new, 1))}})
		if err == nil || !strings.Contains(err.Error(), PipelineFile+":"+c.at) {
			t.Errorf("%s: %v, want a fault at %s", name, err, c.at)
		}
	}
}
