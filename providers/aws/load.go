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
	// Notice is told, once, why credentials that were replaced cannot be used;
	// may be nil.
	Notice func(error)
	Now    func() time.Time // time.Now by default
}

// Load reads the SDK's configuration by the SDK's own rules (environment,
// shared files, web identity, instance role) and takes on the target's role,
// if it names one. The configuration's Credentials are of type *Credentials.
func Load(ctx context.Context, o LoadOptions) (awssdk.Config, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Credentials{files: credentialFiles(), now: o.Now, notice: o.Notice}
	c.stamp = stampOf(c.files)
	cfg, err := o.load(ctx)
	if err != nil {
		return awssdk.Config{}, err
	}
	c.current = cfg.Credentials
	c.find = func(ctx context.Context) (awssdk.CredentialsProvider, error) {
		again, err := o.load(ctx)
		return again.Credentials, err
	}
	cfg.Credentials = c
	cfg.APIOptions = append(cfg.APIOptions, c.register)
	return cfg, nil
}

// load is the configuration as the files are now.
func (o LoadOptions) load(ctx context.Context) (awssdk.Config, error) {
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
	if at := awssdk.ToString(cfg.BaseEndpoint); at != "" && !strings.HasPrefix(at, "http://") && !strings.HasPrefix(at, "https://") {
		return awssdk.Config{}, fmt.Errorf("the endpoint %q (AWS_ENDPOINT_URL, or endpoint in mooring.yaml) is no address: want one like http://127.0.0.1:4566", at)
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
