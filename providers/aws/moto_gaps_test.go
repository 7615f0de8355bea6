package aws

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"mooring.dev/providers"
	"mooring.dev/sources/manifest"
)

// motoGap is a kind that moto cannot be a witness for: the operation without
// which there is none, and how it is tried.
type motoGap struct {
	operation, reason string
	try               func(w *world) error
}

// motoLacks are the kinds that moto 5.2 does not have. Each is tried: a gap
// that is closed fails, so that the kind gets its witness.
var motoLacks = map[string]motoGap{
	manifest.KindProvisioned: {"lambda:PutProvisionedConcurrencyConfig", "it has no provisioned concurrency", func(w *world) error {
		_, err := lambda.NewFromConfig(w.o.Config).PutProvisionedConcurrencyConfig(w.ctx, &lambda.PutProvisionedConcurrencyConfigInput{
			FunctionName: awssdk.String("preview-checkout"), Qualifier: awssdk.String("live"), ProvisionedConcurrentExecutions: awssdk.Int32(1)})
		return err
	}},
	manifest.KindRuntimeManagement: {"lambda:PutRuntimeManagementConfig", "it has no runtime management", func(w *world) error {
		_, err := lambda.NewFromConfig(w.o.Config).PutRuntimeManagementConfig(w.ctx, &lambda.PutRuntimeManagementConfigInput{
			FunctionName: awssdk.String("preview-checkout"), UpdateRuntimeOn: lambdatypes.UpdateRuntimeOnAuto})
		return err
	}},
	manifest.KindWorkflowAlias: {"states:PublishStateMachineVersion", "state machines have no versions there", func(w *world) error {
		_, err := sfn.NewFromConfig(w.o.Config).PublishStateMachineVersion(w.ctx, &sfn.PublishStateMachineVersionInput{
			StateMachineArn: awssdk.String("arn:aws:states:" + testRegion + ":" + testAccount + ":stateMachine:moto-fulfil")})
		return err
	}},
}

// testimony is what a platform showed in place, kind by kind.
type testimony struct {
	kinds  map[string]bool // seen as declared
	silent map[string]bool // "Kind path" of what was declared and could not be read
	told   map[string]bool // "Kind path" of what was read and is as declared
}

// note remembers one resource in place.
func (s *testimony) note(res manifest.Resource, want providers.Spec, l providers.Live) {
	if s == nil {
		return
	}
	if s.kinds == nil {
		s.kinds, s.silent, s.told = map[string]bool{}, map[string]bool{}, map[string]bool{}
	}
	s.kinds[res.Ref.Kind] = true
	for path, value := range want.Fields {
		name := res.Ref.Kind + " " + path
		if _, unseen := l.Unseen[path]; unseen {
			s.silent[name] = true
		} else if l.Spec.Fields[path] == value {
			s.told[name] = true
		}
	}
}

// check wants a witness or a reason for every kind, and every reason to hold.
func (s *testimony) check(t *testing.T, w *world) {
	for _, k := range w.allKinds() {
		gap, lacking := motoLacks[k.name]
		switch {
		case lacking && s.kinds[k.name]:
			t.Errorf("%s is listed as lacking, and was seen in place", k.name)
		case !lacking && !s.kinds[k.name]:
			t.Errorf("%s has neither a witness nor a reason", k.name)
		case lacking:
			if err := gap.try(w); !unanswered(err) {
				t.Errorf("%s: %s answers (%v): %q is no reason any more", k.name, gap.operation, err, gap.reason)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(motoDiffers)) {
		if s.told[name] {
			t.Errorf("the listed difference is gone: %s (%s)", name, motoDiffers[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(motoSilent)) {
		if s.told[name] || !s.silent[name] {
			t.Errorf("%s is listed as not to be read, and was: %q is no reason any more", name, motoSilent[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.silent)) {
		if motoSilent[name] == "" {
			t.Errorf("%s was declared and could not be read, for no listed reason", name)
		}
	}
}

// unanswered: there is no such operation. Of one of Step Functions' moto says
// so with a page and 500.
func unanswered(err error) bool {
	var response *awshttp.ResponseError
	return isUnknownOperation(err) ||
		errors.As(err, &response) && response.HTTPStatusCode() == http.StatusInternalServerError && codeOf(err) == "unreachable"
}

// witnessNamed is what moto says of what is declared by name alone.
func witnessNamed(w *world) {
	secrets, parameters := secretsmanager.NewFromConfig(w.o.Config), ssm.NewFromConfig(w.o.Config)
	all := []manifest.Resource{
		{Ref: manifest.Ref{Kind: manifest.KindSecret, Name: "named/key"}, Physical: "named/key", Spec: &manifest.SecretSpec{}},
		{Ref: manifest.Ref{Kind: manifest.KindParameter, Name: "/named/rate"}, Physical: "/named/rate", Spec: &manifest.ParameterSpec{}},
	}
	if live, _ := w.look(all); live[all[0].Ref].Exists || live[all[1].Ref].Exists {
		w.t.Fatal("they are there before they are made")
	}
	if _, err := secrets.CreateSecret(w.ctx, &secretsmanager.CreateSecretInput{Name: &all[0].Physical, SecretString: awssdk.String("x")}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := parameters.PutParameter(w.ctx, &ssm.PutParameterInput{Name: &all[1].Physical, Value: awssdk.String("7"), Type: "String"}); err != nil {
		w.t.Fatal(err)
	}
	w.inPlace(all)
	if _, err := secrets.DeleteSecret(w.ctx, &secretsmanager.DeleteSecretInput{SecretId: &all[0].Physical}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := parameters.DeleteParameter(w.ctx, &ssm.DeleteParameterInput{Name: &all[1].Physical}); err != nil {
		w.t.Fatal(err)
	}
	live, _ := w.look(all)
	if got := live[all[0].Ref].Spec.Fields["scheduledForDeletion"]; got != "true" || live[all[1].Ref].Exists {
		w.t.Errorf("after their deletion: the secret scheduled %q, the parameter there: %v", got, live[all[1].Ref].Exists)
	}
}
