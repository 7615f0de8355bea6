package demo

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"mooring.dev/reconciler/web"
)

func firstDeployment(ctx context.Context, st *stage) ([]string, error) {
	commit, err := st.repo.publish(ctx)
	if err != nil {
		return nil, err
	}
	content, err := st.contentOf(ctx, commit)
	if err != nil {
		return nil, err
	}
	if err := st.wait(ctx, 40*time.Second, "preview is deployed", func(s web.Status) error { return atRest(s, "preview", content) }); err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("commit %s admitted, its release is in force in preview", short(commit))}
	answer, err := st.invoke(ctx, "preview-checkout")
	if err != nil {
		return evidence, err
	}
	evidence = append(evidence, "a real process answers through the alias: "+answer)
	if err := st.everywhere(ctx, content, 60*time.Second); err != nil {
		return evidence, err
	}
	evidence = append(evidence, fmt.Sprintf("content %s is in force in preview, staging and production", short(content)))
	return evidence, nil
}

// invoke calls a function through its alias as a customer.
func (st *stage) invoke(ctx context.Context, function string) (string, error) {
	out, err := st.cloud.lambda(keyTraffic).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: awssdk.String(function), Qualifier: awssdk.String("live"), Payload: []byte(`{"ping":true}`),
	})
	if err != nil {
		return "", fmt.Errorf("invoke %s: %w", function, err)
	}
	if out.FunctionError != nil {
		return "", fmt.Errorf("invoke %s: %s", function, out.Payload)
	}
	return string(out.Payload), nil
}

// release points checkout at another build and pushes.
func (st *stage) release(ctx context.Context, version string) (commit, content string, err error) {
	if err := st.repo.point("checkout", version); err != nil {
		return "", "", err
	}
	if commit, err = st.repo.push(ctx, "checkout "+version); err != nil {
		return "", "", err
	}
	content, err = st.contentOf(ctx, commit)
	return commit, content, err
}

func goodRelease(ctx context.Context, st *stage) ([]string, error) {
	commit, content, err := st.release(ctx, "1.1")
	if err != nil {
		return nil, err
	}
	var look web.RolloutStatus
	if err := st.wait(ctx, 20*time.Second, "the canary gets calls", func(s web.Status) error {
		look = in(s, "preview").Rollout
		if len(look.Functions) == 0 || look.Weight == 0 || look.Weight == 100 || look.Functions[0].Canary.Calls < 10 {
			return fmt.Errorf("phase %s, weight %d", look.Phase, look.Weight)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	evidence := []string{fmt.Sprintf("commit %s: %d%% on version %s, %d of %d calls failed, beside version %s with %d of %d", short(commit), look.Weight,
		look.Functions[0].New, look.Functions[0].Canary.Errors, look.Functions[0].Canary.Calls, look.Functions[0].Stable, look.Functions[0].Baseline.Errors, look.Functions[0].Baseline.Calls)}
	if err := st.everywhere(ctx, content, 90*time.Second); err != nil {
		return evidence, err
	}
	digests, err := st.digests(ctx, "checkout")
	if err != nil {
		return evidence, err
	}
	if digests["preview"] != digests["production"] || digests["preview"] != digests["staging"] {
		return evidence, fmt.Errorf("the code differs between environments: %v", digests)
	}
	return append(evidence, fmt.Sprintf("promoted by content %s; every environment runs code digest %s", short(content), digests["production"])), nil
}

// digests are the code digests that really serve, by environment.
func (st *stage) digests(ctx context.Context, function string) (map[string]string, error) {
	out := map[string]string{}
	for _, env := range environments {
		got, err := st.cloud.lambda(keyTeam).GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{
			FunctionName: awssdk.String(env + "-" + function), Qualifier: awssdk.String("live"),
		})
		if err != nil {
			return nil, fmt.Errorf("read %s-%s: %w", env, function, err)
		}
		out[env] = awssdk.ToString(got.CodeSha256)
	}
	return out, nil
}

func badRelease(ctx context.Context, st *stage) ([]string, error) {
	began := time.Now()
	before, err := st.daemon.status(ctx)
	if err != nil {
		return nil, err
	}
	good := in(before, "preview").Content
	commit, _, err := st.release(ctx, "1.2-bad")
	if err != nil {
		return nil, err
	}
	if err := st.wait(ctx, 40*time.Second, "the canary fails and traffic is back", func(s web.Status) error {
		e := in(s, "preview")
		if e.State != "held" || e.Rollout.Phase != "" || e.Content != good {
			return fmt.Errorf("preview is %s, phase %s, weight %d, verdict %s", e.State, e.Rollout.Phase, e.Rollout.Weight, e.Rollout.Verdict)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	after, err := st.daemon.status(ctx)
	if err != nil {
		return nil, err
	}
	back, err := st.callsBack("preview-checkout", began)
	if err != nil {
		return nil, err
	}
	evidence := []string{
		fmt.Sprintf("commit %s: %s", short(commit), in(after, "preview").Reason),
		back,
	}
	for _, env := range []string{"staging", "production"} {
		if got := in(after, env).Content; got != good {
			return evidence, fmt.Errorf("%s has content %s", env, short(got))
		}
		if n := len(st.writesTo(env, began)); n > 0 {
			return evidence, fmt.Errorf("%s was written to %d times", env, n)
		}
	}
	evidence = append(evidence, "staging and production: not one write")
	if err := st.repo.point("checkout", "1.1"); err != nil {
		return evidence, err
	}
	if _, err := st.repo.push(ctx, "Revert checkout 1.2"); err != nil {
		return evidence, err
	}
	return evidence, st.calm(ctx)
}

// callsBack counts what it took to bring traffic back: the last UpdateAlias
// of the rollout is the one, and nothing but reads of metrics comes between
// it and the verdict.
func (st *stage) callsBack(function string, since time.Time) (string, error) {
	var routes []string
	for _, c := range st.cloud.writes(keyMooring, since) {
		if c.Operation == "UpdateAlias" && mentions(c.Params, function) {
			routes = append(routes, fmt.Sprint(c.Params["functionVersion"], c.Params["routingConfig"]))
		}
	}
	if len(routes) < 2 {
		return "", fmt.Errorf("want a shift and its return, saw %d alias updates of %s", len(routes), function)
	}
	return fmt.Sprintf("%d alias updates in all: the shift, and one call that brought every customer back", len(routes)), nil
}

func deniedCommit(ctx context.Context, st *stage) ([]string, error) {
	began := time.Now()
	if err := st.repo.edit("functions/catalog.yaml", replace("timeout: 5", "timeout: 900")); err != nil {
		return nil, err
	}
	commit, err := st.repo.push(ctx, "Give the catalog all the time in the world")
	if err != nil {
		return nil, err
	}
	var e web.EnvironmentStatus
	if err := st.wait(ctx, 20*time.Second, "policy denies the commit", func(s web.Status) error {
		if e = in(s, "preview"); e.State != "denied" || e.Head != commit {
			return fmt.Errorf("preview is %s at %s", e.State, short(e.Head))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	evidence := []string{"denied: " + e.Reason}
	for _, env := range environments {
		if w := st.writesTo(env, began); len(w) > 0 {
			return evidence, fmt.Errorf("%s was written to: %s", env, w[0].Operation)
		}
	}
	evidence = append(evidence, "not one write to the cloud; the release before stays in force")
	if err := st.repo.edit("functions/catalog.yaml", replace("timeout: 900", "timeout: 5")); err != nil {
		return evidence, err
	}
	if _, err := st.repo.push(ctx, "Take that back"); err != nil {
		return evidence, err
	}
	return evidence, st.calm(ctx)
}
