package aws

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mooring.dev/providers"
)

// CheckAccount asks where the credentials lead, and refuses any account but
// the declared one.
func (p *Provider) CheckAccount(ctx context.Context) (string, error) {
	out, err := p.front.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("check the account of environment %s: %w", p.o.Environment, classify(err))
	}
	account := awssdk.ToString(out.Account)
	if want := p.o.Target.Account; want != "" && account != want {
		return account, providers.Errorf(providers.Denied, "credentials lead to account %s, and environment %s declares %s", account, p.o.Environment, want)
	}
	return account, nil
}

// account is the account that ARNs of this environment name: the declared one,
// else the one the credentials lead to, asked once.
func (p *Provider) account(ctx context.Context, cl *clients) (string, error) {
	if p.o.Target.Account != "" {
		return p.o.Target.Account, nil
	}
	p.memory.mu.Lock()
	known := p.memory.account
	p.memory.mu.Unlock()
	if known != "" {
		return known, nil
	}
	out, err := cl.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask for the account of environment %s: %w", p.o.Environment, classify(err))
	}
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	p.memory.account = awssdk.ToString(out.Account)
	return p.memory.account, nil
}
