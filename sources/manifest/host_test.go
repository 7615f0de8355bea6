package manifest

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

func pipelineWithHost(text string) (*Pipeline, error) {
	return LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: prod, provider: {memory: {}}}]\n  host: " + text + "\n")}})
}

// What hosts there are, and what is said of what makes no sense.
func TestHosts(t *testing.T) {
	const token = "token: {fromEnv: HOST_TOKEN}"
	for text, says := range map[string]string{
		"{github: {repository: acme/shop, " + token + ", webhookSecret: {fromFile: /run/hook}}}":                                                   "",
		"{github: {repository: acme/shop, " + token + ", endpoint: 'https://ghe.example.com'}}":                                                    "",
		"{gitlab: {repository: acme/web/shop, " + token + "}}":                                                                                     "",
		"{gitea: {repository: acme/shop, " + token + ", endpoint: 'https://git.example.com'}}":                                                     "",
		"{bitbucket: {repository: acme/shop, " + token + ", user: a@example.com}}":                                                                 "",
		"{bitbucket: {repository: SHOP/shop, " + token + ", dataCenter: true, endpoint: 'https://b.example.com'}}":                                 "",
		"{generic: {webhookSecret: {fromEnv: HOOK}}}":                                                                                              "",
		"{github: {repository: acme/shop, " + token + "}, generic: {webhookSecret: {fromEnv: HOOK}}}":                                              "",
		"{github: {repository: acme/shop, " + token + "}, identities: {ann-w: {name: ann, emails: [a@b.c], teams: [shop], environments: [prod]}}}": "",
		"{}":                               "names no host",
		"{identities: {ann: {name: ann}}}": "names no host",
		"{github: {" + token + "}}":        "spec.host.github.repository",
		"{github: {repository: acme/shop, app: {id: 7, installation: 42, privateKey: {fromFile: /run/key}}}}":                "",
		"{github: {repository: acme/shop, app: {id: 7, installation: 42, privateKey: {fromFile: /run/key}}, " + token + "}}": "spec.host.github.app",
		"{github: {repository: acme/shop, app: {id: 7, privateKey: {fromFile: /run/key}}}}":                                  "spec.host.github.app.installation",
		"{github: {repository: acme/shop, app: {id: 0, installation: 42, privateKey: {fromFile: /run/key}}}}":                "spec.host.github.app.id",
		"{github: {repository: acme/shop, app: {id: 7, installation: 42, privateKey: abc}}}":                                 "a secret does not stand in the repository",
		"{github: {repository: acme/shop}}":                                                                     "spec.host.github.token",
		"{github: {repository: shop, " + token + "}}":                                                           "OWNER/NAME",
		"{github: {repository: a/b/shop, " + token + "}}":                                                       "only GitLab",
		"{github: {repository: acme/shop, token: abc}}":                                                         "a secret does not stand in the repository",
		"{github: {repository: acme/shop, " + token + ", webhookSecret: s}}":                                    "a secret does not stand in the repository",
		"{generic: {webhookSecret: s}}":                                                                         "a secret does not stand in the repository",
		"{gitea: {repository: acme/shop, " + token + "}}":                                                       "needs endpoint",
		"{bitbucket: {repository: A/shop, " + token + ", dataCenter: true}}":                                    "needs endpoint",
		"{github: {repository: acme/shop, " + token + "}, gitlab: {repository: acme/shop, " + token + "}}":      "several hosts",
		"{github: {repository: acme/shop, " + token + "}, identities: {Ann: {name: a}, ann: {name: b}}}":        "by more than case",
		"{github: {repository: acme/shop, " + token + "}, identities: {ann: {name: ann, environments: [prd]}}}": "no environment",
		"{github: {repository: acme/shop, " + token + "}, identities: {ann: {}}}":                               "identities.ann.name",
		"{github: {repository: acme/shop, " + token + ", endpoint: git.example.com}}":                           "an http or https URL",
		"{gihub: {repository: acme/shop, " + token + "}}":                                                       "github",
	} {
		t.Run(text, func(t *testing.T) {
			p, err := pipelineWithHost(text)
			var faults Faults
			switch {
			case says == "" && err != nil:
				t.Error(err)
			case says == "" && p.Host == nil:
				t.Error("not read")
			case says != "" && (!errors.As(err, &faults) || !strings.Contains(err.Error(), says) || faults[0].Position.Line != 6):
				t.Errorf("%v", err)
			}
		})
	}
}

func TestWhoALoginIs(t *testing.T) {
	p, err := pipelineWithHost("{gitlab: {repository: a/b/c, token: {fromEnv: HOST_TOKEN}}, identities: {Ann-W: {name: ann}}}")
	if err != nil {
		t.Fatal(err)
	}
	if who, ok := p.Host.Person("ann-w"); !ok || who.Name != "ann" {
		t.Errorf("got %+v, %v", who, ok)
	}
	if who, ok := p.Host.Person("ann"); ok {
		t.Errorf("a name that is no login is %+v", who)
	}
	if r := p.Host.Repository(); r == nil || r.Repository != "a/b/c" || r.Token.FromEnv != "HOST_TOKEN" {
		t.Errorf("got %+v", r)
	}
}
