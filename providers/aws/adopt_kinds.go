package aws

import (
	"context"
	"reflect"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

func (k queueKind) namedIn(arn string) (string, bool) { return k.physicalIn(arn) }

func (k queueKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookQueue(ctx, a.cl, name)
	if err != nil || l == nil {
		return nil, err
	}
	if !a.passes(manifest.KindQueue, name, l.tags) {
		return nil, nil
	}
	d := started(name, l.attributes["QueueArn"], l.tags)
	d.Addresses["url"] = l.url
	q, readable := liveQueue(l.attributes)
	spec := &manifest.QueueSpec{
		VisibilityTimeout: q.visibility, MessageRetentionPeriod: q.retention, DelaySeconds: q.delay, MaximumMessageSize: q.size,
		ReceiveMessageWaitTimeSeconds: q.wait, FifoQueue: q.fifo, ContentBasedDeduplication: q.dedup, KmsMasterKeyID: q.kmsKey,
		Tags: ownTags(d, l.tags),
	}
	if q.fifo {
		spec.DeduplicationScope, spec.FifoThroughputLimit = q.dedupScope, q.throughput
	}
	if q.kmsKey != "" && q.kmsReuse != 300 {
		spec.KmsDataKeyReusePeriodSeconds = q.kmsReuse
	}
	if q.managedSSE != (q.kmsKey == "") {
		spec.SqsManagedSseEnabled = &q.managedSSE
	}
	if q.deadLetter != "" {
		spec.Redrive = &manifest.Redrive{DeadLetter: manifest.Value{Literal: q.deadLetter}, MaxReceiveCount: q.maxReceive}
		a.need(q.deadLetter)
	}
	switch text := l.attributes["Policy"]; {
	case !readable:
		d.Leave("its policy is no policy document; it stays as it is")
	case text != "":
		if spec.Policy, err = parsePolicy(text); err != nil {
			return nil, err
		}
	}
	if l.attributes["RedriveAllowPolicy"] != "" {
		d.Leave("redriveAllowPolicy: not managed; it stays as it is")
	}
	d.Spec, err = manifest.SpecOf(spec)
	return d, err
}

// every lists the roles of the account: they are of no region.
func (k roleKind) every(ctx context.Context, a *adoption) ([]string, error) {
	var names []string
	pages := iam.NewListRolesPaginator(a.cl.iam, &iam.ListRolesInput{MaxItems: awssdk.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return names, err
		}
		for i := range page.Roles {
			names = append(names, awssdk.ToString(page.Roles[i].RoleName))
		}
	}
	return names, nil
}

func (k roleKind) namedIn(arn string) (string, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return "", false
	}
	return nameOfARN(arn), true
}

func (k roleKind) draft(ctx context.Context, a *adoption, name string) (*manifest.Draft, error) {
	l, err := k.p.lookRole(ctx, a.cl, name)
	if err != nil || l == nil {
		return nil, err
	}
	switch path := awssdk.ToString(l.role.Path); {
	case strings.HasPrefix(path, "/aws-service-role/"):
		a.leave(manifest.KindRole, name, "linked to an AWS service, which keeps it for itself")
		return nil, nil
	case strings.HasPrefix(path, "/aws-reserved/"):
		a.leave(manifest.KindRole, name, "reserved by AWS")
		return nil, nil
	case awssdk.ToString(l.role.Arn) == k.p.o.Target.RoleArn && k.p.o.Target.RoleArn != "":
		a.leave(manifest.KindRole, name, "the role Mooring works as")
		return nil, nil
	}
	if !a.passes(manifest.KindRole, name, l.tags()) {
		return nil, nil
	}
	d := started(name, awssdk.ToString(l.role.Arn), l.tags())
	spec := &manifest.RoleSpec{
		ManagedPolicyArns: set(l.arns), Description: awssdk.ToString(l.role.Description), Path: orElse(awssdk.ToString(l.role.Path), "/"),
		MaxSessionDuration: orElse(int(awssdk.ToInt32(l.role.MaxSessionDuration)), 3600), Tags: ownTags(d, l.tags()),
	}
	if l.role.PermissionsBoundary != nil {
		spec.PermissionsBoundary = awssdk.ToString(l.role.PermissionsBoundary.PermissionsBoundaryArn)
	}
	trust, err := parsePolicy(awssdk.ToString(l.role.AssumeRolePolicyDocument))
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(canonicalPolicy(trust), canonicalPolicy(defaultTrust())) {
		spec.AssumeRolePolicy = trust
	}
	for _, policy := range sortedKeys(l.inline) {
		document, err := parsePolicy(l.inline[policy])
		if err != nil {
			d.Leave("inline policy %s is no policy document", policy)
			continue
		}
		if policy == inlinePolicy {
			spec.Statements = statementsOf(document["Statement"])
			continue
		}
		if spec.InlinePolicies == nil {
			spec.InlinePolicies = map[string]any{}
		}
		spec.InlinePolicies[policy] = document
	}
	d.Spec, err = manifest.SpecOf(spec)
	return d, err
}

// secrets drafts the secrets and parameters that variables name by address,
// as far as they exist.
func (a *adoption) secrets(ctx context.Context) {
	var names []string
	for _, value := range sortedKeys(a.secret) {
		if strings.HasPrefix(value, "/") {
			names = append(names, value)
			continue
		}
		out, err := a.cl.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &value})
		switch {
		case isAbsent(err):
		case err != nil:
			a.skip(providers.Skipped{Kind: manifest.KindSecret, Name: nameOfARN(value), Why: "could not be looked for: " + classify(err).Error(), Failed: true})
		case awssdk.ToString(out.ARN) == value: // a shortened one would not resolve to the same text
			a.add(manifest.Draft{Kind: manifest.KindSecret, Name: awssdk.ToString(out.Name), Addresses: map[string]string{"arn": value}})
		}
	}
	found, err := a.p.describeParameters(ctx, a.cl, names)
	if err != nil {
		a.skip(providers.Skipped{Kind: manifest.KindParameter, Name: "all", Why: "could not be looked for: " + err.Error(), Failed: true})
		return
	}
	for _, name := range sortedKeys(found) {
		a.add(manifest.Draft{Kind: manifest.KindParameter, Name: name, Addresses: map[string]string{"name": name, "arn": awssdk.ToString(found[name].ARN)}})
	}
}
