package lambda_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestPublishUnchangedIsNoOp(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	first := must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f"), Description: aws.String("one")}))
	latest := w.revision("f")
	again := must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f"), Description: aws.String("two")}))
	if *again.Version != "1" || *again.Description != "one" || *again.RevisionId != *first.RevisionId {
		t.Errorf("a publish of nothing new gave version %s %q", *again.Version, *again.Description)
	}
	if w.revision("f") != latest {
		t.Error("a publish of nothing new changed $LATEST's RevisionId")
	}
}

func TestPublishAfterADescriptionChangeIsANewVersion(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	if a, b := w.published("f", "one"), w.published("f", "two"); a != "1" || b != "2" {
		t.Errorf("versions %s and %s", a, b)
	}
}

func TestPublishChangesLatestsRevisionAndHasItsOwn(t *testing.T) {
	w := newWorld(t)
	w.ready("f")
	before := w.revision("f")
	v := must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f")}))
	after := w.revision("f")
	if before == after || *v.RevisionId == before || *v.RevisionId == after {
		t.Errorf("$LATEST %s then %s, version %s", before, after, *v.RevisionId)
	}
	if v.State != types.StatePending {
		t.Errorf("a new version is %s", v.State)
	}
	w.settle()
	now := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f"), Qualifier: v.Version})).Configuration
	if now.State != types.StateActive || *now.RevisionId != *v.RevisionId {
		t.Errorf("later %s, RevisionId %s; it does not change when the version turns Active", now.State, *now.RevisionId)
	}
}

func TestPublishGuardsTheCodeDigest(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	_, err := w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f"), CodeSha256: aws.String("AAAA")})
	refuse(t, err, "InvalidParameterValueException", 400)
	must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f"), CodeSha256: w.config("f").CodeSha256}))
}

func TestPublishWithCodeUpdateAndCreate(t *testing.T) {
	w := newWorld(t)
	made := w.make("f", python(t, echo), func(in *awslambda.CreateFunctionInput) { in.Publish = true })
	if *made.Version != "1" {
		t.Errorf("create with Publish gave %s", *made.Version)
	}
	w.settle()
	same := must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: python(t, echo), Publish: true}))
	w.settle()
	other := must(w.UpdateFunctionCode(w.ctx, &awslambda.UpdateFunctionCodeInput{FunctionName: aws.String("f"), ZipFile: python(t, "y = 2"), Publish: true}))
	if *same.Version != "1" || *other.Version != "2" {
		t.Errorf("the same zip gave version %s, another %s", *same.Version, *other.Version)
	}
}

func TestVersionsAreImmutable(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	v := w.published("f", "one")
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Timeout: aws.Int32(60), MemorySize: aws.Int32(512)}))
	c := must(w.GetFunctionConfiguration(w.ctx, &awslambda.GetFunctionConfigurationInput{FunctionName: aws.String("f"), Qualifier: &v}))
	if *c.Timeout != 3 || *c.MemorySize != 128 || *c.FunctionArn != "arn:aws:lambda:eu-west-1:111122223333:function:f:1" {
		t.Errorf("version %s: timeout %d, memory %d, %s", v, *c.Timeout, *c.MemorySize, *c.FunctionArn)
	}
}

func TestVersionNumbersAreNeverReused(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	w.published("f", "one")
	must(w.DeleteFunction(w.ctx, &awslambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("1")}))
	if v := must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f")})); *v.Version != "2" {
		t.Errorf("after deleting version 1 comes %s", *v.Version)
	}
}

func TestDeleteByQualifier(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	v := w.published("f", "one")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: &v}))
	_, err := w.DeleteFunction(w.ctx, &awslambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: &v})
	refuse(t, err, "ResourceConflictException", 409)
	_, err = w.DeleteFunction(w.ctx, &awslambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("$LATEST")})
	refuse(t, err, "InvalidParameterValueException", 400)
	_, err = w.DeleteFunction(w.ctx, &awslambda.DeleteFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("live")})
	refuse(t, err, "InvalidParameterValueException", 400)
	must(w.DeleteFunction(w.ctx, &awslambda.DeleteFunctionInput{FunctionName: aws.String("f")}))
	_, err = w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f"), Qualifier: &v})
	refuse(t, err, "ResourceNotFoundException", 404)
}

func TestListVersionsPagesBy50LatestFirst(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	for i := range 60 {
		w.published("f", fmt.Sprint("change ", i))
	}
	var got []string
	pages := 0
	for p := awslambda.NewListVersionsByFunctionPaginator(w.Client, &awslambda.ListVersionsByFunctionInput{FunctionName: aws.String("f")}); p.HasMorePages(); pages++ {
		for _, v := range must(p.NextPage(w.ctx)).Versions {
			got = append(got, *v.Version)
		}
	}
	if pages != 2 || len(got) != 61 || got[0] != "$LATEST" || got[1] != "1" || got[60] != "60" {
		t.Errorf("%d pages, %d versions: %v", pages, len(got), got)
	}
	all := must(w.ListFunctions(w.ctx, &awslambda.ListFunctionsInput{FunctionVersion: types.FunctionVersionAll}))
	if len(all.Functions) != 50 || *all.Functions[1].FunctionArn != "arn:aws:lambda:eu-west-1:111122223333:function:f:1" {
		t.Errorf("ALL lists versions too: %d", len(all.Functions))
	}
}

// twoVersions makes a function with versions 1 and 2.
func twoVersions(w *world) {
	w.t.Helper()
	w.ready("f")
	w.published("f", "one")
	w.published("f", "two")
}

func weights(pairs map[string]float64) *types.AliasRoutingConfiguration {
	return &types.AliasRoutingConfiguration{AdditionalVersionWeights: pairs}
}

func TestAliasWeightRules(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	third := w.published("f", "three")
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Role: aws.String(role + "-other")}))
	otherRole := *must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f")})).Version
	must(w.UpdateFunctionConfiguration(w.ctx, &awslambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("f"), Role: aws.String(role),
		DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:eu-west-1:111122223333:dlq")}}))
	otherQueue := *must(w.PublishVersion(w.ctx, &awslambda.PublishVersionInput{FunctionName: aws.String("f")})).Version
	for name, c := range map[string]struct {
		main    string
		weights map[string]float64
		code    string
		status  int
	}{
		"two extra versions":          {"1", map[string]float64{"2": 0.1, third: 0.1}, "InvalidParameterValueException", 400},
		"over one":                    {"1", map[string]float64{"2": 1.1}, "ValidationException", 400},
		"below nought":                {"1", map[string]float64{"2": -0.1}, "ValidationException", 400},
		"$LATEST as extra":            {"1", map[string]float64{"$LATEST": 0.1}, "ValidationException", 400},
		"$LATEST with weights":        {"$LATEST", map[string]float64{"2": 0.1}, "InvalidParameterValueException", 400},
		"the same version twice":      {"1", map[string]float64{"1": 0.1}, "InvalidParameterValueException", 400},
		"a version that is not":       {"1", map[string]float64{"99": 0.1}, "ResourceNotFoundException", 404},
		"another role":                {"1", map[string]float64{otherRole: 0.1}, "InvalidParameterValueException", 400},
		"another dead-letter queue":   {"1", map[string]float64{otherQueue: 0.1}, "InvalidParameterValueException", 400},
		"main version that is not":    {"99", nil, "ResourceNotFoundException", 404},
		"main version that is a name": {"x", nil, "ValidationException", 400},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: &c.main, RoutingConfig: weights(c.weights)})
			refuse(t, err, c.code, c.status)
		})
	}
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("dev"), FunctionVersion: aws.String("$LATEST")}))
	_, err := w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("7"), FunctionVersion: aws.String("1")})
	refuse(t, err, "ValidationException", 400)
}

func TestAliasUpdateKeepsWhatIsNotSaidAndClearsWhatIsEmpty(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f, live := aws.String("f"), aws.String("live")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1"), Description: aws.String("d"), RoutingConfig: weights(map[string]float64{"2": 0.25})}))
	out := must(w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: f, Name: live, Description: aws.String("e")}))
	if *out.FunctionVersion != "1" || out.RoutingConfig == nil || out.RoutingConfig.AdditionalVersionWeights["2"] != 0.25 {
		t.Errorf("an update of the description changed more: %+v", out)
	}
	must(w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: f, Name: live, RoutingConfig: weights(map[string]float64{})}))
	if got := must(w.GetAlias(w.ctx, &awslambda.GetAliasInput{FunctionName: f, Name: live})); got.RoutingConfig != nil {
		t.Errorf("cleared weights are absent, not %+v", got.RoutingConfig)
	}
}

func TestAliasHasARevisionOfItsOwn(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f, live := aws.String("f"), aws.String("live")
	before := w.revision("f")
	made := must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")}))
	if w.revision("f") != before {
		t.Error("an alias changed the function's RevisionId")
	}
	same := must(w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1"), RevisionId: made.RevisionId}))
	if *same.RevisionId == *made.RevisionId {
		t.Error("an update that changes nothing has a new RevisionId all the same")
	}
	_, err := w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("2"), RevisionId: made.RevisionId})
	refuse(t, err, "PreconditionFailedException", 412)
}

func TestAliasErrorsAndDeletion(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	f, live := aws.String("f"), aws.String("live")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")}))
	_, err := w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")})
	refuse(t, err, "ResourceConflictException", 409)
	must(w.DeleteAlias(w.ctx, &awslambda.DeleteAliasInput{FunctionName: f, Name: live}))
	must(w.DeleteAlias(w.ctx, &awslambda.DeleteAliasInput{FunctionName: f, Name: live})) // a missing one too
	_, err = w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")})
	refuse(t, err, "ResourceNotFoundException", 404)
	_, err = w.GetAlias(w.ctx, &awslambda.GetAliasInput{FunctionName: f, Name: live})
	refuse(t, err, "ResourceNotFoundException", 404)
}

func TestGetFunctionByAliasShowsTheVersionUnderTheAliasArn(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("live"), FunctionVersion: aws.String("1")}))
	c := must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f"), Qualifier: aws.String("live")})).Configuration
	if *c.Version != "1" || *c.FunctionArn != "arn:aws:lambda:eu-west-1:111122223333:function:f:live" || *c.Description != "one" {
		t.Errorf("%s %s %q", *c.Version, *c.FunctionArn, *c.Description)
	}
}

func TestListAliasesByVersion(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("a"), FunctionVersion: aws.String("1")}))
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: aws.String("f"), Name: aws.String("b"), FunctionVersion: aws.String("2")}))
	out := must(w.ListAliases(w.ctx, &awslambda.ListAliasesInput{FunctionName: aws.String("f"), FunctionVersion: aws.String("2")}))
	if len(out.Aliases) != 1 || *out.Aliases[0].Name != "b" {
		t.Errorf("%d aliases of version 2", len(out.Aliases))
	}
	first := must(w.ListAliases(w.ctx, &awslambda.ListAliasesInput{FunctionName: aws.String("f"), MaxItems: aws.Int32(1)}))
	second := must(w.ListAliases(w.ctx, &awslambda.ListAliasesInput{FunctionName: aws.String("f"), Marker: first.NextMarker}))
	if len(first.Aliases) != 1 || len(second.Aliases) != 1 || *second.Aliases[0].Name != "b" || second.NextMarker != nil {
		t.Error("MaxItems and Marker are honoured")
	}
}

func TestMovingAProvisionedAliasShowsWeightsThatNobodySet(t *testing.T) {
	w := newWorld(t)
	twoVersions(w)
	f, live := aws.String("f"), aws.String("live")
	must(w.CreateAlias(w.ctx, &awslambda.CreateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("1")}))
	must(w.PutProvisionedConcurrencyConfig(w.ctx, &awslambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: live, ProvisionedConcurrentExecutions: aws.Int32(2)}))
	w.settle()
	must(w.UpdateAlias(w.ctx, &awslambda.UpdateAliasInput{FunctionName: f, Name: live, FunctionVersion: aws.String("2")}))
	during := must(w.GetAlias(w.ctx, &awslambda.GetAliasInput{FunctionName: f, Name: live}))
	if during.RoutingConfig == nil || during.RoutingConfig.AdditionalVersionWeights["1"] != 1 {
		t.Errorf("during the move: %+v", during.RoutingConfig)
	}
	_, err := w.PutProvisionedConcurrencyConfig(w.ctx, &awslambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: live, ProvisionedConcurrentExecutions: aws.Int32(3)})
	refuse(t, err, "InvalidParameterValueException", 400)
	w.settle()
	if after := must(w.GetAlias(w.ctx, &awslambda.GetAliasInput{FunctionName: f, Name: live})); after.RoutingConfig != nil {
		t.Errorf("after the move: %+v", after.RoutingConfig)
	}
}

func TestAPageOfOneVersionIsNotTheLast(t *testing.T) {
	w := newWorld(t, instantly)
	twoVersions(w)
	var got []string
	for p := awslambda.NewListVersionsByFunctionPaginator(w.Client, &awslambda.ListVersionsByFunctionInput{FunctionName: aws.String("f"), MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		for _, v := range must(p.NextPage(w.ctx)).Versions {
			got = append(got, *v.Version)
		}
	}
	if want := []string{"$LATEST", "1", "2"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
