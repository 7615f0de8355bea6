package aws

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// secretKind is a secret that must exist. Its value is never read, and
// nothing about it is ever written.
type secretKind struct{ p *Provider }

func (k secretKind) rights() []rights.Row {
	return []rights.Row{toObserve([]string{"arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-*"}, "secretsmanager:DescribeSecret")}
}

// scheduledField is true for a secret that somebody scheduled for deletion:
// it still answers, and its value does not.
const scheduledField = "scheduledForDeletion"

func (k secretKind) canonical(_ manifest.Resource, b *builder) error {
	b.set(scheduledField, false)
	return nil
}

func (k secretKind) observe(ctx context.Context, cl *clients, res manifest.Resource) (providers.Live, error) {
	at := k.p.o.Now()
	out, err := cl.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &res.Physical})
	if isAbsent(err) {
		return providers.Live{}, nil
	}
	if err != nil {
		return providers.Live{}, classify(err)
	}
	b := k.p.builder(nil)
	b.set(scheduledField, out.DeletedDate != nil)
	live := b.live()
	if out.DeletedDate != nil {
		live.Note = "scheduled for deletion"
	}
	live.Attributes = map[string]string{"arn": awssdk.ToString(out.ARN), "name": awssdk.ToString(out.Name), "id": awssdk.ToString(out.ARN)}
	live.SeenAt = at
	remember(&k.p.memory, k.p.memory.known, res.Ref, live.Attributes)
	return live, nil
}

func (k secretKind) put(context.Context, providers.Change) (providers.Receipt, error) {
	return providers.Receipt{}, providers.Errorf(providers.Invalid, "a secret is only looked for, never made or changed")
}

func (k secretKind) remove(context.Context, manifest.Resource, providers.Guard) (providers.Receipt, error) {
	return providers.Receipt{}, providers.Errorf(providers.Denied, "a secret is only looked for, never deleted")
}
