package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"mooring.dev/providers/aws/sandbox/wire"
	"mooring.dev/reconciler/web"
)

// change is one thing done by hand, and how its drift shows.
type change struct {
	what     string
	resource string // prefix of the drift item's resource
	path     string // prefix of its path
	do       func(ctx context.Context, c *lambda.Client) error
}

// driftByHand has alice change five things in production.
func driftByHand(ctx context.Context, st *stage) ([]string, error) {
	client := st.cloud.lambda(keyAlice)
	changes, err := st.handiwork(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for _, c := range changes {
		if err := patiently(ctx, func() error { return c.do(ctx, client) }); err != nil {
			return nil, fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return st.seenAndReverted(ctx, changes, began)
}

func (st *stage) seenAndReverted(ctx context.Context, changes []change, began time.Time) ([]string, error) {
	seen := map[string]web.DriftItem{}
	if err := st.wait(ctx, 30*time.Second, "every change is seen and attributed", func(web.Status) error {
		d, err := st.daemon.drift(ctx, "production")
		if err != nil {
			return err
		}
		for _, c := range changes {
			for _, item := range d.Items {
				if strings.HasPrefix(item.Resource, c.resource) && strings.HasPrefix(item.Path, c.path) && item.Actor.Known {
					seen[c.what] = item
				}
			}
		}
		// What was reverted already is only in the history.
		events, err := st.daemon.history(ctx, "production")
		if err != nil {
			return err
		}
		for _, c := range changes {
			for _, ev := range events {
				if _, ok := seen[c.what]; !ok && ev.At.After(began) && ev.Kind == "drift" && strings.HasPrefix(ev.Resource, c.resource) && strings.Contains(ev.Text, c.path) && strings.Contains(ev.Text, "alice") {
					seen[c.what] = web.DriftItem{Resource: ev.Resource, Path: c.path, Actor: web.Actor{Known: true, Name: "user/alice"}, Response: "revert"}
				}
			}
		}
		for _, c := range changes {
			if _, ok := seen[c.what]; !ok {
				return fmt.Errorf("%s (%s %s) was not seen yet", c.what, c.resource, c.path)
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	var evidence []string
	for _, c := range changes {
		item := seen[c.what]
		if !strings.Contains(item.Actor.Name, "alice") {
			return evidence, fmt.Errorf("%s was attributed to %s", c.what, item.Actor.Name)
		}
		evidence = append(evidence, fmt.Sprintf("%s: %s %s, by %s (%s), %s", c.what, item.Resource, item.Path, item.Actor.Name, item.Actor.Event, item.Response))
	}
	if err := st.calm(ctx); err != nil {
		return evidence, err
	}
	if err := st.putBack(ctx); err != nil {
		return evidence, err
	}
	return append(evidence, fmt.Sprintf("everything is back as declared %.1fs after the first change", time.Since(began).Seconds())), nil
}

// handiwork is the five changes.
func (st *stage) handiwork(ctx context.Context) ([]change, error) {
	fn := awssdk.String("production-checkout")
	queue, err := st.cloud.sqs(keyAlice).CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: awssdk.String("alices-own"), Attributes: map[string]string{"VisibilityTimeout": "60"}})
	if err != nil {
		return nil, fmt.Errorf("alice's queue: %w", err)
	}
	_ = queue
	code, err := os.ReadFile(filepath.Join(st.dir, "artifacts", st.repo.builds["checkout-1.2-bad"].file))
	if err != nil {
		return nil, fmt.Errorf("alice's code: %w", err)
	}
	old, err := st.olderVersion(ctx)
	if err != nil {
		return nil, err
	}
	return []change{
		{"an environment variable", "Function/catalog", "environment.LOG_LEVEL", func(ctx context.Context, c *lambda.Client) error {
			_, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: awssdk.String("production-catalog"),
				Environment: &types.Environment{Variables: map[string]string{"LOG_LEVEL": "debug"}}})
			return err
		}},
		{"the code, edited in place", "Function/checkout", "code", func(ctx context.Context, c *lambda.Client) error {
			_, err := c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: fn, ZipFile: code})
			return err
		}},
		{"the weights of the alias", "Alias/checkout.live", "", func(ctx context.Context, c *lambda.Client) error {
			_, err := c.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: fn, Name: awssdk.String("live"),
				RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{old: 0.3}}})
			return err
		}},
		{"an extra mapping", "Trigger/fulfil", "", func(ctx context.Context, c *lambda.Client) error {
			_, err := c.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{FunctionName: awssdk.String("production-fulfil:live"),
				EventSourceArn: awssdk.String("arn:aws:sqs:" + region + ":" + account + ":alices-own")})
			return err
		}},
		{"an extra permission for everybody", "Permission/checkout", "", func(ctx context.Context, c *lambda.Client) error {
			_, err := c.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: fn, Qualifier: awssdk.String("live"), StatementId: awssdk.String("everybody"),
				Action: awssdk.String("lambda:InvokeFunction"), Principal: awssdk.String("*")})
			return err
		}},
	}, nil
}

// olderVersion is a published version of production's checkout that does not
// serve.
func (st *stage) olderVersion(ctx context.Context) (string, error) {
	c := st.cloud.lambda(keyAlice)
	alias, err := c.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: awssdk.String("production-checkout"), Name: awssdk.String("live")})
	if err != nil {
		return "", fmt.Errorf("read the alias: %w", err)
	}
	list, err := c.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: awssdk.String("production-checkout")})
	if err != nil {
		return "", fmt.Errorf("list versions: %w", err)
	}
	for _, v := range list.Versions {
		if n := awssdk.ToString(v.Version); n != "$LATEST" && n != awssdk.ToString(alias.FunctionVersion) {
			return n, nil
		}
	}
	return "", errors.New("production-checkout has only one version")
}

// putBack looks at the cloud itself.
func (st *stage) putBack(ctx context.Context) error {
	c := st.cloud.lambda(keyTeam)
	conf, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: awssdk.String("production-catalog")})
	if err != nil {
		return err
	}
	if got := conf.Environment.Variables["LOG_LEVEL"]; got != "warn" {
		return fmt.Errorf("LOG_LEVEL is %q in the cloud", got)
	}
	alias, err := c.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: awssdk.String("production-checkout"), Name: awssdk.String("live")})
	if err != nil {
		return err
	}
	if alias.RoutingConfig != nil && len(alias.RoutingConfig.AdditionalVersionWeights) > 0 {
		return errors.New("the alias still has alice's weights")
	}
	policy, err := c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: awssdk.String("production-checkout"), Qualifier: awssdk.String("live")})
	if err == nil && strings.Contains(awssdk.ToString(policy.Policy), `"everybody"`) {
		return errors.New("the extra permission is still there")
	}
	maps, err := c.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{EventSourceArn: awssdk.String("arn:aws:sqs:" + region + ":" + account + ":alices-own")})
	if err != nil {
		return err
	}
	for _, m := range maps.EventSourceMappings {
		if awssdk.ToString(m.State) != "Deleting" {
			return errors.New("the extra mapping is still there")
		}
	}
	latest, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: awssdk.String("production-checkout")})
	if err != nil {
		return err
	}
	live, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: awssdk.String("production-checkout"), Qualifier: awssdk.String("live")})
	if err != nil {
		return err
	}
	if awssdk.ToString(latest.CodeSha256) != awssdk.ToString(live.CodeSha256) {
		return errors.New("alice's code is still there")
	}
	return nil
}

// patiently repeats what AWS refuses while an update is in progress, as a
// person at a console would.
func patiently(ctx context.Context, do func() error) error {
	var err error
	for range 20 {
		var busy *types.ResourceConflictException
		if err = do(); !errors.As(err, &busy) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}

// mitigation: the person on call stops catalog in production.
func mitigation(ctx context.Context, st *stage) ([]string, error) {
	oncall := st.cloud.lambda(keyOncall)
	fn := awssdk.String("production-checkout")
	if _, err := oncall.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: fn, ReservedConcurrentExecutions: awssdk.Int32(0)}); err != nil {
		return nil, fmt.Errorf("stop the function: %w", err)
	}
	var hold web.HoldStatus
	if err := st.wait(ctx, 20*time.Second, "the mitigation is held", func(s web.Status) error {
		for _, h := range in(s, "production").Holds {
			if h.Kind == "mitigation" && strings.HasPrefix(h.Resource, "Concurrency/checkout") {
				hold = h
				return nil
			}
		}
		return fmt.Errorf("production is %s", in(s, "production").State)
	}); err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("held until %s: %s", hold.Until.Local().Format("15:04"), hold.Reason)}
	// It must stay as the operator left it, for several passes.
	for range 30 {
		got, err := oncall.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: fn})
		if err != nil {
			return evidence, err
		}
		if got.ReservedConcurrentExecutions == nil || *got.ReservedConcurrentExecutions != 0 {
			return evidence, errors.New("the mitigation was undone")
		}
		time.Sleep(100 * time.Millisecond)
	}
	evidence = append(evidence, "three seconds and several passes later it still stands")
	if err := st.daemon.act(ctx, "/api/v1/environments/production/resume", fmt.Sprintf(`{"hold":%q}`, hold.ID)); err != nil {
		return evidence, fmt.Errorf("resume: %w", err)
	}
	if err := st.calm(ctx); err != nil {
		return evidence, err
	}
	return append(evidence, "resumed by a person: the declared concurrency is back"), nil
}

// brokenContract: the secret that the code expects is scheduled for deletion.
func brokenContract(ctx context.Context, st *stage) ([]string, error) {
	secrets := secretsmanager.NewFromConfig(st.cloud.as(keyAlice))
	if _, err := secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: awssdk.String("shop/stripe"), RecoveryWindowInDays: awssdk.Int64(7)}); err != nil {
		return nil, fmt.Errorf("schedule the secret's deletion: %w", err)
	}
	if err := st.wait(ctx, 20*time.Second, "the broken contract is seen", func(s web.Status) error {
		if e := in(s, "production"); e.State == "in_sync" {
			return errors.New("production is in sync")
		}
		return nil
	}); err != nil {
		return nil, err
	}
	began := time.Now()
	content, err := st.contractRelease(ctx)
	if err != nil {
		return nil, err
	}
	var why string
	if err := st.wait(ctx, 60*time.Second, "the next release is held", func(s web.Status) error {
		p := in(s, "preview")
		if strings.Contains(p.Rollout.Paused, "shop/stripe") {
			why = "preview: before its first call the release waits: " + p.Rollout.Paused
			return nil
		}
		for _, name := range []string{"staging", "production"} {
			if e := in(s, name); strings.Contains(e.Promotion, "shop/stripe") {
				why = name + " " + e.Promotion
				return nil
			}
		}
		return fmt.Errorf("preview is %s (%s %d%%) %s, staging waits: %q", p.State, p.Rollout.Phase, p.Rollout.Weight, p.Rollout.Paused, in(s, "staging").Promotion)
	}); err != nil {
		return nil, err
	}
	evidence := []string{why}
	s, err := st.daemon.status(ctx)
	if err != nil {
		return evidence, err
	}
	if in(s, "production").Content == content || len(st.writesTo("production", began)) > 0 {
		return evidence, errors.New("production was touched")
	}
	return append(evidence, "production keeps what it has"), nil
}

// contractRelease brings new content; it may wait in preview or before
// staging, as they share the secret.
func (st *stage) contractRelease(ctx context.Context) (string, error) {
	_, content, err := st.release(ctx, "1.3")
	return content, err
}

// killed: the secret is restored, the promotion goes on by itself, and the
// daemon dies in the middle of production's canary.
func killed(ctx context.Context, st *stage) ([]string, error) {
	secrets := secretsmanager.NewFromConfig(st.cloud.as(keyAlice))
	if _, err := secrets.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: awssdk.String("shop/stripe")}); err != nil {
		return nil, fmt.Errorf("restore the secret: %w", err)
	}
	var weight int
	var stage int
	if err := st.wait(ctx, 60*time.Second, "a canary is on its way", func(s web.Status) error {
		for _, name := range environments {
			if r := in(s, name).Rollout; r.Phase == "shift" && r.Weight > 0 && r.Weight < 100 {
				weight, stage = r.Weight, r.Stage
				return nil
			}
		}
		return fmt.Errorf("preview %s, staging %s", in(s, "preview").Promotion, in(s, "staging").Promotion)
	}); err != nil {
		return nil, err
	}
	if err := st.daemon.kill(); err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("killed with SIGKILL at stage %d, %d%% of the calls on the new version", stage, weight)}
	if err := st.daemon.start(ctx); err != nil {
		return evidence, err
	}
	if err := st.daemon.awaitReady(ctx); err != nil {
		return evidence, err
	}
	began := time.Now()
	if err := st.calm(ctx); err != nil {
		return evidence, err
	}
	s, err := st.daemon.status(ctx)
	if err != nil {
		return evidence, err
	}
	content := in(s, "preview").Content
	if err := st.everywhere(ctx, content, 60*time.Second); err != nil {
		return evidence, err
	}
	return append(evidence, fmt.Sprintf("restarted, it went on from where it was: content %s is everywhere %.0fs later", short(content), time.Since(began).Seconds())), nil
}

// writesTo are Mooring's changing calls about one environment since a time.
func (st *stage) writesTo(environment string, since time.Time) []wire.Call {
	var out []wire.Call
	for _, c := range st.cloud.writes(keyMooring, since) {
		if mentions(c.Params, environment+"-") {
			out = append(out, c)
		}
	}
	return out
}

// mentions: some parameter names a thing that contains text.
func mentions(params map[string]any, text string) bool {
	return strings.Contains(fmt.Sprint(params), text)
}

func replace(old, new string) func(string) string {
	return func(text string) string { return strings.ReplaceAll(text, old, new) }
}
