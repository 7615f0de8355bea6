package aws

import (
	"encoding/json"
	"net/url"
	"testing"

	awspolicy "github.com/hashicorp/awspolicyequivalence"
)

// TestLesson66PoliciesAreComparedByMeaning holds the canonical form against an
// independent judge of equivalence.
func TestLesson66PoliciesAreComparedByMeaning(t *testing.T) {
	base := `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["sqs:SendMessage","sqs:ReceiveMessage"],"Resource":"arn:aws:sqs:eu-west-1:111111111111:q"},{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:x":"1"}}}]}`
	for name, c := range map[string]struct {
		text string
		same bool
	}{
		"order of statements and actions": {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root"]},"Action":["sts:AssumeRole"],"Condition":{"StringEquals":{"aws:x":["1"]}}},{"Sid":"a","Effect":"Allow","Action":["sqs:ReceiveMessage","sqs:SendMessage"],"Resource":["arn:aws:sqs:eu-west-1:111111111111:q"]}],"Version":"2012-10-17"}`, true},
		"another action":                  {`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["sqs:*"],"Resource":"arn:aws:sqs:eu-west-1:111111111111:q"},{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:x":"1"}}}]}`, false},
		"a condition less":                {`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":["sqs:SendMessage","sqs:ReceiveMessage"],"Resource":"arn:aws:sqs:eu-west-1:111111111111:q"},{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}`, false},
		"deny for allow":                  {`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Deny","Action":["sqs:SendMessage","sqs:ReceiveMessage"],"Resource":"arn:aws:sqs:eu-west-1:111111111111:q"},{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:x":"1"}}}]}`, false},
	} {
		if judge, err := awspolicy.PoliciesAreEquivalent(base, c.text); err != nil || judge != c.same {
			t.Fatalf("%s: the judge says %v, %v", name, judge, err)
		}
		if got := form(t, base) == form(t, c.text); got != c.same {
			t.Errorf("%s: equal is %v, want %v", name, got, c.same)
		}
	}
	if form(t, base) != form(t, url.PathEscape(base)) {
		t.Error("a URL-encoded document, as IAM hands it out, is another one")
	}
	if string(canonicalPolicy(nil)) == form(t, `{"Version":"2012-10-17","Statement":[]}`) {
		t.Error("no policy and an empty policy look the same")
	}
}

func form(t *testing.T, text string) string {
	t.Helper()
	document, err := parsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	out := canonicalPolicy(document)
	if !json.Valid(out) {
		t.Errorf("not JSON: %s", out)
	}
	return string(out)
}

func TestForeignStatementsDoNotPassForPlainOnes(t *testing.T) {
	statement := func(text string) map[string]any {
		var s map[string]any
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	plain := livePermission(statement(`{"Sid":"x","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"},"StringEquals":{"AWS:SourceAccount":"1"}}}`))
	if plain.rest != nil || plain.principal != "s3.amazonaws.com" || plain.sourceArn != "arn:aws:s3:::b" || plain.sourceAccount != "1" {
		t.Errorf("a statement of AddPermission was not understood: %+v", plain)
	}
	for _, text := range []string{
		`{"Sid":"x","Effect":"Deny","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn"}`,
		`{"Sid":"x","Effect":"Allow","Principal":{"AWS":["1","2"]},"Action":"lambda:InvokeFunction","Resource":"arn"}`,
		`{"Sid":"x","Effect":"Allow","Principal":"*","Action":["a","b"],"Resource":"arn"}`,
		`{"Sid":"x","Effect":"Allow","Principal":"*","Action":"a","Resource":"arn","Condition":{"IpAddress":{"aws:SourceIp":"1.2.3.4"}}}`,
		`{"Sid":"x","Effect":"Allow","NotPrincipal":"*","Action":"a","Resource":"arn"}`,
	} {
		if livePermission(statement(text)).rest == nil {
			t.Errorf("%s passes for a plain statement", text)
		}
	}
	if !livePermission(statement(`{"Sid":"x","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn"}`)).open() {
		t.Error(`Principal "*" without condition is not called open`)
	}
}
