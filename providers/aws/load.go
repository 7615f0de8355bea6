package aws

import (
	"context"
	"fmt"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/logging"

	"mooring.dev/sources/manifest"
)

// LoadOptions says how an environment's account is reached.
type LoadOptions struct {
	Target manifest.AWSTarget
	// Instance names this daemon in the session name, so that an audit trail
	// tells daemons apart.
	Instance string
	// AppID stands in the user agent of every call; informative only.
	AppID string
}

// Load reads the SDK's configuration by the SDK's own rules (environment,
// shared files, web identity, instance role) and takes on the target's role,
// if it names one.
func Load(ctx context.Context, o LoadOptions) (awssdk.Config, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(o.Target.Region),
		config.WithRetryer(newRetryer),
		config.WithLogger(logging.Nop{}), // its errors are ours to tell
	}
	if o.Target.Endpoint != "" {
		options = append(options, config.WithBaseEndpoint(o.Target.Endpoint))
	}
	if o.AppID != "" {
		options = append(options, config.WithAppID(o.AppID))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return awssdk.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	if o.Target.RoleArn != "" {
		assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), o.Target.RoleArn, func(a *stscreds.AssumeRoleOptions) {
			a.RoleSessionName = SessionName(o.Instance)
			if o.Target.ExternalID != "" {
				a.ExternalID = awssdk.String(o.Target.ExternalID)
			}
			for _, key := range sortedKeys(o.Target.SessionTags) {
				a.Tags = append(a.Tags, ststypes.Tag{Key: awssdk.String(key), Value: awssdk.String(o.Target.SessionTags[key])})
			}
		})
		cfg.Credentials = awssdk.NewCredentialsCache(assume)
	}
	return cfg, nil
}

// newRetryer tries three times with short pauses: whoever calls comes back
// with the next pass, and long pauses inside a call would only hide it.
func newRetryer() awssdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 3
		o.MaxBackoff = 5 * time.Second
	})
}

// SessionName makes a name that STS accepts of an instance's.
func SessionName(instance string) string {
	if instance == "" {
		instance = "daemon"
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("+=,.@-_", r):
			return r
		}
		return '-'
	}, instance)
	name := "mooring-" + clean
	return name[:min(len(name), 64)]
}
