package template

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mooring.dev/sources/adopt"
)

// TestEveryPolicyTemplateIsCarried: each of SAM's templates, told all its
// parameters, makes statements a role may have, and leaves nothing.
func TestEveryPolicyTemplateIsCarried(t *testing.T) {
	parameter := regexp.MustCompile(`\{(\w+)\}`)
	action := regexp.MustCompile(`^[a-z0-9]+:[A-Za-z0-9]*\*?$`)
	for name, lines := range policyTemplates {
		told := map[string]string{}
		for _, line := range lines {
			_, actions, ok := strings.Cut(line, " > ")
			if !ok || actions == "" {
				t.Errorf("%s: %q allows nothing", name, line)
			}
			list := strings.Fields(actions)
			for _, a := range list {
				if !action.MatchString(a) {
					t.Errorf("%s: %q is no action", name, a)
				}
			}
			if slices.Sort(list); len(slices.Compact(list)) != len(strings.Fields(actions)) {
				t.Errorf("%s: an action stands twice", name)
			}
			for _, m := range parameter.FindAllStringSubmatch(line, -1) {
				told[m[1]] = "told-" + strings.ToLower(m[1])
				if strings.HasSuffix(m[1], "Arn") {
					told[m[1]] = "arn:aws:x:eu-west-1:111111111111:" + told[m[1]]
				}
			}
		}
		var parameters strings.Builder
		for key, value := range told {
			fmt.Fprintf(&parameters, "%s: \"%s\", ", key, value)
		}
		text := fmt.Sprintf("Resources: {F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.13, Handler: a.b, Policies: [{%s: {%s}}]}}}", name, strings.TrimSuffix(parameters.String(), ", "))
		found, err := Read([]byte(text), Options{File: "t.yaml", Region: "eu-west-1", Account: "111111111111"})
		if err != nil {
			t.Fatal(err)
		}
		result, err := adopt.Compose(found, adopt.Options{})
		if err != nil || len(result.Resources) != 1 {
			t.Errorf("%s: %v %+v", name, err, result)
			continue
		}
		for _, left := range result.Left {
			if strings.Contains(left.What, "policy template") {
				t.Errorf("%s: %s", name, left.What)
			}
		}
		written := ""
		for _, file := range result.Files {
			written += string(file)
		}
		for _, value := range told {
			if !strings.Contains(written, value) {
				t.Errorf("%s: %s is not among its resources:\n%s", name, value, written)
			}
		}
	}
	if len(policyTemplates) < 75 {
		t.Errorf("SAM documents more templates than %d", len(policyTemplates))
	}
}
