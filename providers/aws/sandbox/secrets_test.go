package sandbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	tagtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"mooring.dev/providers/aws/sandbox"
)

func TestSecretsKeepStagesAndCanBeRestored(t *testing.T) {
	s := start(t, sandbox.Options{Now: func() time.Time { return noon }})
	c := secretsmanager.NewFromConfig(as(s, "alice"))
	name := aws.String("shop/stripe")
	made := must(c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: name, SecretString: aws.String("one")}))(t)
	second := must(c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: aws.String("two")}))(t)
	d := must(c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: made.ARN}))(t)
	if !slices.Equal(d.VersionIdsToStages[*made.VersionId], []string{"AWSPREVIOUS"}) || !slices.Equal(d.VersionIdsToStages[*second.VersionId], []string{"AWSCURRENT"}) {
		t.Errorf("stages: %v", d.VersionIdsToStages)
	}
	old := must(c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name, VersionStage: aws.String("AWSPREVIOUS")}))(t)
	if *old.SecretString != "one" {
		t.Errorf("the previous value is %s", *old.SecretString)
	}
	must(c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: name}))(t)
	if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name}); codeOf(err) != "InvalidRequestException" {
		t.Errorf("a value marked for deletion: %v", err)
	}
	if d := must(c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: name}))(t); d.DeletedDate == nil || !d.DeletedDate.Equal(noon) {
		t.Errorf("DeletedDate is %v", d.DeletedDate)
	}
	must(c.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: name}))(t)
	must(c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name}))(t)
	must(c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: name, RecoveryWindowInDays: aws.Int64(7)}))(t)
	s.Advance(8 * 24 * time.Hour)
	if _, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: name}); codeOf(err) != "ResourceNotFoundException" {
		t.Errorf("after the recovery window: %v", err)
	}
}

func TestListSecretsFilters(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := secretsmanager.NewFromConfig(as(s, "alice"))
	for _, name := range []string{"shop/a", "shop/b", "other"} {
		must(c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(name)}))(t)
	}
	out := must(c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{"shop/"}}}}))(t)
	if len(out.SecretList) != 2 {
		t.Errorf("%d secrets begin with shop/", len(out.SecretList))
	}
}

func TestParametersKeepVersionsAndHideSecureStrings(t *testing.T) {
	s := start(t, sandbox.Options{})
	c := ssm.NewFromConfig(as(s, "alice"))
	put := func(value string) error {
		_, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/shop/rates"), Value: &value, Type: ssmtypes.ParameterTypeSecureString, Overwrite: aws.Bool(value == "two")})
		return err
	}
	if err := put("one"); err != nil {
		t.Fatal(err)
	}
	if err := put("three"); codeOf(err) != "ParameterAlreadyExists" {
		t.Errorf("overwriting unasked: %v", err)
	}
	if err := put("two"); err != nil {
		t.Fatal(err)
	}
	get := func(name string, decrypt bool) *ssmtypes.Parameter {
		return must(c.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name, WithDecryption: &decrypt}))(t).Parameter
	}
	if p := get("/shop/rates", true); *p.Value != "two" || p.Version != 2 {
		t.Errorf("%s in version %d", *p.Value, p.Version)
	}
	if p := get("/shop/rates:1", true); *p.Value != "one" {
		t.Errorf("version 1 is %s", *p.Value)
	}
	if p := get("/shop/rates", false); *p.Value == "two" {
		t.Error("a SecureString was answered in clear")
	}
	many := must(c.GetParameters(t.Context(), &ssm.GetParametersInput{Names: []string{"/shop/rates", "/shop/none"}}))(t)
	if len(many.Parameters) != 1 || !slices.Equal(many.InvalidParameters, []string{"/shop/none"}) {
		t.Errorf("%d found, %v invalid", len(many.Parameters), many.InvalidParameters)
	}
	described := must(c.DescribeParameters(t.Context(), &ssm.DescribeParametersInput{
		ParameterFilters: []ssmtypes.ParameterStringFilter{{Key: aws.String("Path"), Option: aws.String("Recursive"), Values: []string{"/shop"}}},
	}))(t)
	if len(described.Parameters) != 1 || *described.Parameters[0].LastModifiedUser != "arn:aws:iam::111111111111:user/alice" {
		t.Errorf("described %+v", described.Parameters)
	}
}

func TestTaggedResourcesOfAllServicesAreListed(t *testing.T) {
	s := start(t, sandbox.Options{})
	cfg := as(s, "alice")
	newFunction(t, cfg, "checkout")
	queues := sqs.NewFromConfig(cfg)
	must(queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("orders"), Tags: map[string]string{"team": "payments"}}))(t)
	newQueue(t, queues, "untagged", nil)
	c := resourcegroupstaggingapi.NewFromConfig(cfg)
	list := func(types ...string) []string {
		out := must(c.GetResources(t.Context(), &resourcegroupstaggingapi.GetResourcesInput{
			ResourceTypeFilters: types, TagFilters: []tagtypes.TagFilter{{Key: aws.String("team"), Values: []string{"payments"}}},
		}))(t)
		var arns []string
		for _, m := range out.ResourceTagMappingList {
			arns = append(arns, *m.ResourceARN)
		}
		return arns
	}
	function, queue := "arn:aws:lambda:eu-west-1:111111111111:function:checkout", "arn:aws:sqs:eu-west-1:111111111111:orders"
	for filter, want := range map[string][]string{"": {function, queue}, "lambda": {function}, "lambda:function": {function}, "sqs": {queue}, "lambda:event-source-mapping": nil} {
		var got []string
		if filter == "" {
			got = list()
		} else {
			got = list(filter)
		}
		if !slices.Equal(got, want) {
			t.Errorf("of type %q: %v, want %v", filter, got, want)
		}
	}
}
