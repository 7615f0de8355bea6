package manifest

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// What receivers take, and what is said of what makes no sense.
func TestReceivers(t *testing.T) {
	const mail = "server: smtp.example.com:587, from: a@example.com, to: [b@example.com]"
	for text, says := range map[string]string{
		"webhook: {url: https://example.com/in}":                                           "",
		"webhook: {url: {fromEnv: HOOK}, template: '{{.Title}}', contentType: text/plain}": "",
		"alertmanager: {url: http://alertmanager:9093}":                                    "",
		"slack: {url: {fromEnv: SLACK}}":                                                   "",
		"teams: {url: {fromFile: /run/teams}}":                                             "",
		"pagerduty: {routingKey: {fromEnv: PD}, url: https://events.eu.pagerduty.com}":     "",
		"sns: {topicArn: 'arn:aws:sns:eu-west-1:111111111111:alerts.fifo'}":                "",
		"eventbridge: {}": "",
		"eventbridge: {bus: 'arn:aws:events:eu-west-1:111111111111:event-bus/ops'}": "",
		"email: {" + mail + "}": "",
		"email: {" + mail + ", username: u, password: {fromEnv: PW}}":                              "",
		"email: {" + mail + ", tls: none}":                                                         "",
		"slack: {url: https://hooks.slack.com/services/T/B/x}":                                     "a secret does not stand in the repository",
		"pagerduty: {routingKey: abc}":                                                             "a secret does not stand in the repository",
		"{}":                                                                                       "needs exactly one of webhook, alertmanager",
		"slack: {url: {fromEnv: SL}}, teams: {url: {fromEnv: TE}}":                                 "needs exactly one",
		"slakc: {url: {fromEnv: SL}}":                                                              "slack",
		"sns: {topicArn: alerts}":                                                                  "a topic's ARN",
		"webhook: {url: https://example.com, contentType: text/plain}":                             "there is none",
		"email: {" + mail + ", username: u}":                                                       "username and password",
		"email: {" + mail + ", username: u, password: {fromEnv: PW}, tls: none}":                   "in the open",
		"email: {server: smtp.example.com, from: a@example.com, to: [b@example.com]}":              "host:port",
		"email: {server: s:25, from: a@example.com, to: ['b@example.com\\nBcc: eve@example.com']}": "no mail address",
		"email: {server: s:25, from: a@example.com, to: [b@example.com, b@example.com]}":           "twice",
		"email: {server: s:25, from: 'A <a@example.com>', to: [b@example.com]}":                    "a mail address",
	} {
		t.Run(text, func(t *testing.T) {
			if text != "{}" {
				text = "{" + text + "}"
			}
			_, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: prod, provider: {memory: {}}}]\n  receivers: {r: " + text + "}\n")}})
			var faults Faults
			switch {
			case says == "" && err != nil:
				t.Error(err)
			case says != "" && (!errors.As(err, &faults) || !strings.Contains(err.Error(), says) || faults[0].Position.Line != 6):
				t.Errorf("%v", err)
			}
		})
	}
}

// When alerts are told: again no sooner than after a minute, and no time runs
// backwards.
func TestAlertsOfAPipeline(t *testing.T) {
	for text, says := range map[string]string{
		"repeat: 60s": "", "repeat: 1m": "", "repeat: 4h, for: 2m": "", "for: 1s": "", "for: 0s": "",
		"repeat: 59s": "spec.alerts.repeat", "repeat: 1s": "spec.alerts.repeat", "repeat: -1h": "spec.alerts.repeat", "for: -1m": "spec.alerts.for", "repeat: often": "spec.alerts.repeat",
		"every: 1h": "every",
	} {
		_, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte("apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments: [{name: prod, provider: {memory: {}}}]\n  alerts: {" + text + "}\n")}})
		var faults Faults
		switch {
		case says == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case says != "" && (!errors.As(err, &faults) || faults[0].Position.Line != 6):
			t.Errorf("%s is taken, or refused elsewhere: %v", text, err)
		}
	}
}

// A template that nothing could be made with is told where it stands.
func TestTemplatesAreToldWhereTheyStand(t *testing.T) {
	text := "apiVersion: mooring.dev/v1\nkind: Pipeline\nmetadata: {name: shop}\nspec:\n  environments:\n    - {name: preview, provider: {memory: {}}}\n" +
		"  receivers:\n    plain: {webhook: {url: \"https://x.example\"}}\n    own:\n      webhook:\n        url: https://x.example\n        template: '{{.Titel}}'\n        contentType: text/plain\n"
	p, err := LoadPipeline(fstest.MapFS{PipelineFile: {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	found := p.Templates(func(text, contentType string) error {
		asked++
		return errors.New(text + " of " + contentType)
	})
	if asked != 1 || len(found) != 1 || found[0].Position.File != PipelineFile || found[0].Position.Line != 12 || found[0].Path != "spec.receivers.own.webhook.template" {
		t.Errorf("asked %d times: %+v", asked, found)
	}
	if found := p.Templates(func(string, string) error { return nil }); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}
