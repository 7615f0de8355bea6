package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go/logging"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/notify/amazon"
	"mooring.dev/sources/manifest"
)

// openNotifier makes a receiver of the pipeline's.
func openNotifier(name string, r manifest.Receiver) (notify.Notifier, error) {
	switch {
	case r.Webhook != nil:
		return openWebhook(name, *r.Webhook)
	case r.Alertmanager != nil:
		return notify.NewAlertmanager(secret(r.Alertmanager.URL), nil), nil
	case r.Slack != nil:
		return notify.NewSlack(secret(r.Slack.URL), nil), nil
	case r.Teams != nil:
		return notify.NewTeams(secret(r.Teams.URL), nil), nil
	case r.PagerDuty != nil:
		return notify.NewPagerDuty(secret(r.PagerDuty.RoutingKey), r.PagerDuty.URL, nil), nil
	case r.SNS != nil:
		cfg, err := receiverAWS(name, region(r.SNS.TopicArn), r.SNS.Endpoint)
		return amazon.NewTopic(sns.NewFromConfig(cfg), r.SNS.TopicArn), err
	case r.EventBridge != nil:
		cfg, err := receiverAWS(name, cmp.Or(r.EventBridge.Region, region(r.EventBridge.Bus)), r.EventBridge.Endpoint)
		return amazon.NewBus(eventbridge.NewFromConfig(cfg), r.EventBridge.Bus), err
	case r.Email != nil:
		return openEmail(*r.Email), nil
	}
	return nil, fmt.Errorf("receiver %s names no kind", name)
}

func openWebhook(name string, w manifest.Webhook) (notify.Notifier, error) {
	var key notify.Secret
	if w.Secret != nil {
		key = secret(*w.Secret)
	}
	hook := notify.NewWebhook(secret(w.URL), key, nil)
	if w.Template == "" {
		return hook, nil
	}
	t, err := notify.ParseTemplate(w.Template, cmp.Or(w.ContentType, "application/json"))
	if err != nil {
		return nil, fmt.Errorf("receiver %s: %w", name, err)
	}
	return hook.WithTemplate(t), nil
}

func openEmail(m manifest.Email) notify.Notifier {
	o := notify.EmailOptions{Server: m.Server, TLS: m.TLS, From: m.From, To: m.To, Username: m.Username}
	if m.Password != nil {
		o.Password = secret(*m.Password)
	}
	return notify.NewEmail(o)
}

// receiverAWS are the daemon's own credentials, for receivers of AWS.
func receiverAWS(name, region, endpoint string) (awssdk.Config, error) {
	with := []func(*awsconfig.LoadOptions) error{awsconfig.WithLogger(logging.Nop{})}
	if region != "" {
		with = append(with, awsconfig.WithRegion(region))
	}
	if endpoint != "" {
		with = append(with, awsconfig.WithBaseEndpoint(endpoint))
	}
	cfg, err := awsconfig.LoadDefaultConfig(context.Background(), with...)
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
