package lambda_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestListFunctionsPagesBy50AndHidesStates(t *testing.T) {
	w := newWorld(t, instantly)
	code := python(t, echo)
	for i := range 1000 {
		w.make(fmt.Sprintf("f%04d", i), code, nil)
	}
	pages, names := 0, map[string]bool{}
	for p := awslambda.NewListFunctionsPaginator(w.Client, &awslambda.ListFunctionsInput{MaxItems: aws.Int32(10000)}); p.HasMorePages(); pages++ {
		page := must(p.NextPage(w.ctx))
		if len(page.Functions) != 50 {
			t.Fatalf("a page of %d", len(page.Functions))
		}
		for _, f := range page.Functions {
			names[*f.FunctionName] = true
			if f.State != "" || f.LastUpdateStatus != "" || f.RuntimeVersionConfig != nil || f.RevisionId == nil || f.CodeSha256 == nil {
				t.Fatalf("a listing shows revision and digest, but no states: %+v", f)
			}
		}
	}
	if pages != 20 || len(names) != 1000 {
		t.Errorf("%d functions in %d pages", len(names), pages)
	}
	small := must(w.ListFunctions(w.ctx, &awslambda.ListFunctionsInput{MaxItems: aws.Int32(7)}))
	if len(small.Functions) != 7 || small.NextMarker == nil {
		t.Errorf("MaxItems 7 gave %d", len(small.Functions))
	}
}

func TestFunctionsAreFoundByEveryNameForm(t *testing.T) {
	w := newWorld(t, instantly)
	w.ready("f")
	for _, name := range []string{"f", "111122223333:f", "111122223333:function:f", "arn:aws:lambda:eu-west-1:111122223333:function:f", "f:$LATEST"} {
		must(w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: &name}))
	}
	_, err := w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("f:1"), Qualifier: aws.String("2")})
	refuse(t, err, "InvalidParameterValueException", 400)
	_, err = w.GetFunction(w.ctx, &awslambda.GetFunctionInput{FunctionName: aws.String("g")})
	refuse(t, err, "ResourceNotFoundException", 404)
	_, err = w.CreateFunction(w.ctx, &awslambda.CreateFunctionInput{FunctionName: aws.String("f"), Role: aws.String(role), Runtime: types.RuntimePython312,
		Handler: aws.String("app.handler"), Code: &types.FunctionCode{ZipFile: python(t, echo)}})
	refuse(t, err, "ResourceConflictException", 409)
}
