package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/notify/amazon"
	"mooring.dev/sources/manifest"
)

// openNotifier makes a receiver of the pipeline's.
func (f *platforms) openNotifier(name string, r manifest.Receiver) (notify.Notifier, error) {
	switch {
	case r.Webhook != nil:
		return f.openWebhook(name, *r.Webhook)
	case r.Alertmanager != nil:
		return notify.NewAlertmanager(f.secrets.of(r.Alertmanager.URL), nil), nil
	case r.Slack != nil:
		return notify.NewSlack(f.secrets.of(r.Slack.URL), nil), nil
	case r.Teams != nil:
		return notify.NewTeams(f.secrets.of(r.Teams.URL), nil), nil
	case r.PagerDuty != nil:
		return notify.NewPagerDuty(f.secrets.of(r.PagerDuty.RoutingKey), r.PagerDuty.URL, nil), nil
	case r.SNS != nil:
		cfg, err := f.receiverAWS(name, region(r.SNS.TopicArn), r.SNS.Endpoint)
		return amazon.NewTopic(sns.NewFromConfig(cfg), r.SNS.TopicArn), err
	case r.EventBridge != nil:
		cfg, err := f.receiverAWS(name, cmp.Or(r.EventBridge.Region, region(r.EventBridge.Bus)), r.EventBridge.Endpoint)
		return amazon.NewBus(eventbridge.NewFromConfig(cfg), r.EventBridge.Bus), err
	case r.Email != nil:
		return f.openEmail(*r.Email), nil
	}
	return nil, fmt.Errorf("receiver %s names no kind", name)
}

func (f *platforms) openWebhook(name string, w manifest.Webhook) (notify.Notifier, error) {
	var key notify.Secret
	if w.Secret != nil {
		key = f.secrets.of(*w.Secret)
	}
	hook := notify.NewWebhook(f.secrets.of(w.URL), key, nil)
	if w.Template == "" {
		return hook, nil
	}
	t, err := notify.ParseTemplate(w.Template, cmp.Or(w.ContentType, "application/json"))
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", name, err)
	}
	return hook.WithTemplate(t), nil
}

func (f *platforms) openEmail(m manifest.Email) notify.Notifier {
	o := notify.EmailOptions{Server: m.Server, TLS: m.TLS, From: m.From, To: m.To, Username: m.Username}
	if m.Password != nil {
		o.Password = f.secrets.of(*m.Password)
	}
	return notify.NewEmail(o)
}

// receiverAWS are the daemon's own credentials, for receivers of AWS.
func (f *platforms) receiverAWS(name, region, endpoint string) (awssdk.Config, error) {
	cfg, err := f.load(context.Background(), "receiver "+name, manifest.AWSTarget{Region: region, Endpoint: endpoint})
	if err != nil {
		return cfg, fmt.Errorf("receiver %s: %w", name, err)
	}
	return cfg, nil
}

// region of an ARN; "" of what is none.
func region(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}
