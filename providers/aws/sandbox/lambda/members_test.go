package lambda

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// TestEveryMemberOfARequestIsRead fails when the SDK's requests gain a
// member that the sandbox would silently ignore.
func TestEveryMemberOfARequestIsRead(t *testing.T) {
	path := []string{"FunctionName", "Qualifier", "Name", "UUID", "StatementId", "LayerName"} // read from path and query, or checked below
	for _, c := range []struct{ sdk, ours any }{
		{awslambda.CreateFunctionInput{}, createFunctionInput{}},
		{awslambda.UpdateFunctionConfigurationInput{}, updateConfigurationInput{}},
		{awslambda.UpdateFunctionCodeInput{}, updateCodeInput{}},
		{awslambda.PublishVersionInput{}, publishInput{}},
		{awslambda.CreateAliasInput{}, aliasInput{}},
		{awslambda.UpdateAliasInput{}, aliasInput{}},
		{awslambda.CreateEventSourceMappingInput{}, mappingInput{}},
		{awslambda.UpdateEventSourceMappingInput{}, mappingInput{}},
		{awslambda.AddPermissionInput{}, permissionInput{}},
		{awslambda.PutFunctionEventInvokeConfigInput{}, asyncInput{}},
		{awslambda.UpdateFunctionEventInvokeConfigInput{}, asyncInput{}},
		{awslambda.CreateFunctionUrlConfigInput{}, urlInput{}},
		{awslambda.UpdateFunctionUrlConfigInput{}, urlInput{}},
		{types.FunctionCode{}, codeInput{}},
		{types.LayerVersionContentInput{}, codeInput{}},
		{awslambda.PublishLayerVersionInput{}, layerInput{}},
		{awslambda.CreateCodeSigningConfigInput{}, signingInput{}},
		{awslambda.PutFunctionConcurrencyInput{}, concurrencyOutput{}},
	} {
		read := jsonNames(reflect.TypeOf(c.ours))
		sdk := reflect.TypeOf(c.sdk)
		for i := range sdk.NumField() {
			f := sdk.Field(i)
			if f.IsExported() && f.Name != "ResultMetadata" && !slices.Contains(read, f.Name) && !slices.Contains(path, f.Name) {
				t.Errorf("%s.%s is ignored by the sandbox", sdk.Name(), f.Name)
			}
		}
	}
}

// jsonNames are the members a struct reads, embedded ones included.
func jsonNames(s reflect.Type) []string {
	var out []string
	for i := range s.NumField() {
		f := s.Field(i)
		if f.Anonymous {
			out = append(out, jsonNames(f.Type)...)
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			out = append(out, name)
			continue
		}
		out = append(out, f.Name)
	}
	return out
}
