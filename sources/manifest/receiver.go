package manifest

import (
	"cmp"
	"slices"
	"strings"
)

// Receiver is where alerts go. Exactly one is set.
type Receiver struct {
	Webhook      *Webhook      `json:"webhook,omitempty" doc:"A generic webhook."`
	Alertmanager *Alertmanager `json:"alertmanager,omitempty" doc:"An Alertmanager."`
	Slack        *Slack        `json:"slack,omitempty" doc:"A channel of Slack."`
	Teams        *Teams        `json:"teams,omitempty" doc:"A channel of Microsoft Teams."`
	PagerDuty    *PagerDuty    `json:"pagerduty,omitempty" doc:"A service of PagerDuty."`
	SNS          *SNSReceiver  `json:"sns,omitempty" doc:"A topic of Amazon SNS."`
	EventBridge  *BusReceiver  `json:"eventbridge,omitempty" doc:"A bus of Amazon EventBridge."`
	Email        *Email        `json:"email,omitempty" doc:"People, by e-mail."`
}

type Webhook struct {
	URL         Secret  `json:"url" is:"required" doc:"Where to post."`
	Secret      *Secret `json:"secret,omitempty" is:"secret" doc:"The key of the HMAC-SHA256 signature."`
	Template    string  `json:"template,omitempty" is:"maxlen=65536" doc:"A Go text/template that makes the body out of the event, where the receiver wants a form of its own; json writes a field as JSON."`
	ContentType string  `json:"contentType,omitempty" is:"maxlen=200" doc:"What the template makes. Default application/json."`
}

type Alertmanager struct {
	URL Secret `json:"url" is:"required" doc:"The address of the Alertmanager."`
}

type Slack struct {
	URL Secret `json:"url" is:"required,secret" doc:"An incoming webhook of Slack's, which is a secret."`
}

type Teams struct {
	URL Secret `json:"url" is:"required,secret" doc:"The address of a workflow that begins with a webhook request, which is a secret."`
}

type PagerDuty struct {
	RoutingKey Secret `json:"routingKey" is:"required,secret" doc:"The integration key of an Events API v2 integration."`
	URL        string `json:"url,omitempty" is:"match=url" doc:"Where events are taken. Default https://events.pagerduty.com; https://events.eu.pagerduty.com in the EU."`
}

type SNSReceiver struct {
	TopicArn string `json:"topicArn" is:"required,match=topicArn" doc:"The topic's ARN. It is published to with the daemon's own credentials, in the ARN's region."`
	Endpoint string `json:"endpoint,omitempty" is:"match=url" doc:"Another endpoint, as of the sandbox."`
}

type BusReceiver struct {
	Bus      string `json:"bus" is:"match=eventBus,default=default,maxlen=1600" doc:"The bus: its name, or its ARN."`
	Region   string `json:"region,omitempty" is:"match=region" doc:"The region. Default: the ARN's, else the daemon's own."`
	Endpoint string `json:"endpoint,omitempty" is:"match=url" doc:"Another endpoint, as of the sandbox."`
}

type Email struct {
	Server   string   `json:"server" is:"required,match=hostPort" doc:"The SMTP server, as smtp.example.com:587."`
	TLS      string   `json:"tls" is:"default=starttls,enum=starttls|implicit|none" doc:"How the way is kept private: STARTTLS, TLS from the first byte (port 465), or not at all."`
	From     string   `json:"from" is:"required,match=mailbox" doc:"Who sends."`
	To       []string `json:"to" is:"required,minitems=1,maxitems=50" doc:"Who gets it."`
	Username string   `json:"username,omitempty" is:"maxlen=320" doc:"Who signs in; without it nobody does."`
	Password *Secret  `json:"password,omitempty" is:"secret" doc:"The password of username."`
}

// Alerts says when alerts are told. The zero value: at once, and once.
type Alerts struct {
	For    Duration `json:"for,omitempty" doc:"How long something must be wrong before anybody is told. What is over sooner is never told."`
	Repeat Duration `json:"repeat,omitempty" is:"min=60" doc:"How often what is still wrong is told again, 1m at least. Without it once, and again where its severity rises."`
}

func (r *Receiver) check(d *decoder, n *node) {
	kinds := []struct {
		name string
		set  bool
	}{
		{"webhook", r.Webhook != nil}, {"alertmanager", r.Alertmanager != nil}, {"slack", r.Slack != nil}, {"teams", r.Teams != nil},
		{"pagerduty", r.PagerDuty != nil}, {"sns", r.SNS != nil}, {"eventbridge", r.EventBridge != nil}, {"email", r.Email != nil},
	}
	set, names := 0, []string{}
	for _, k := range kinds {
		names = append(names, k.name)
		if k.set {
			set++
		}
	}
	if set != 1 {
		d.fault(n.pos(), "needs exactly one of "+strings.Join(names[:len(names)-1], ", ")+" or "+names[len(names)-1], "")
	}
}

func (w *Webhook) check(d *decoder, n *node) {
	if w.ContentType != "" && w.Template == "" {
		d.fault(n.get("contentType").pos(), "contentType is what a template makes, and there is none", "give template, or leave it out")
	}
}

func (m *Email) check(d *decoder, n *node) {
	switch {
	case (m.Username == "") != (m.Password == nil):
		d.fault(n.pos(), "needs username and password, or neither", "")
	case m.Username != "" && m.TLS == "none":
		d.fault(cmp.Or(n.get("tls"), n).pos(), "would send a password in the open", "use starttls or implicit")
	}
	for i, to := range m.To {
		if !patterns["mailbox"].re.MatchString(to) {
			d.push("to")
			d.push("[" + itoa(i) + "]")
			d.fault(n.get("to").items[i].pos(), "is no mail address", "as oncall@example.com")
			d.pop()
			d.pop()
		}
	}
	if sorted := slices.Sorted(slices.Values(m.To)); len(slices.Compact(sorted)) != len(m.To) {
		d.fault(n.get("to").pos(), "names an address twice", "")
	}
}
