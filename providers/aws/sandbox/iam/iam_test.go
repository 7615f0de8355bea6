package iam

import (
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

const account = "111111111111"

// withRole is an account with one role.
func withRole(t *testing.T, trust string, policies ...string) (*Service, string) {
	t.Helper()
	s := New(Options{Now: time.Now, Account: account})
	c := &wire.Call{Account: account}
	out, err := s.createRole(t.Context(), c, &roleInput{RoleName: "r", AssumeRolePolicyDocument: trust})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range policies {
		if _, err := s.putInline(t.Context(), c, &grantInput{RoleName: "r", PolicyName: string(rune('a' + i)), PolicyDocument: p}); err != nil {
			t.Fatal(err)
		}
	}
	return s, out.Role.Arn
}

const trustsLambda = `{"Statement":{"Effect":"Allow","Principal":{"Service":["events.amazonaws.com","lambda.amazonaws.com"]},"Action":"sts:AssumeRole"}}`

func TestWhatARoleAllows(t *testing.T) {
	allowQueues := `{"Statement":[{"Effect":"Allow","Action":["sqs:Receive*","sqs:DeleteMessage"],"Resource":"*"}]}`
	denyDelete := `{"Statement":{"Effect":"Deny","Action":"sqs:Delete*","Resource":"*"}}`
	allButIAM := `{"Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}`
	for _, c := range []struct {
		action   string
		policies []string
		want     bool
	}{
		{"sqs:ReceiveMessage", []string{allowQueues}, true},
		{"SQS:receivemessage", []string{allowQueues}, true},
		{"sqs:GetQueueAttributes", []string{allowQueues}, false},
		{"sqs:DeleteMessage", []string{allowQueues, denyDelete}, false},
		{"sqs:DeleteMessage", []string{denyDelete, allowQueues}, false},
		{"s3:GetObject", []string{allButIAM}, true},
		{"iam:GetRole", []string{allButIAM}, false},
		{"s3:GetObject", nil, false},
	} {
		s, arn := withRole(t, trustsLambda, c.policies...)
		if got := s.Allows(arn, c.action); got != c.want {
			t.Errorf("%s by %v: %v", c.action, c.policies, got)
		}
	}
}

func TestManagedPoliciesCount(t *testing.T) {
	s, arn := withRole(t, trustsLambda)
	in := &grantInput{RoleName: "r", PolicyArn: "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"}
	if s.Allows(arn, "sqs:ReceiveMessage") {
		t.Fatal("it is allowed before anything is attached")
	}
	if _, err := s.attach(t.Context(), nil, in); err != nil {
		t.Fatal(err)
	}
	if !s.Allows(arn, "sqs:ReceiveMessage") {
		t.Error("an attached policy does not count")
	}
}

func TestEveryManagedPolicyIsADocument(t *testing.T) {
	for arn, text := range managed {
		if _, err := parseDocument(text); err != nil {
			t.Errorf("%s: %v", arn, err)
		}
	}
}

func TestServicesThatMayAssume(t *testing.T) {
	s, arn := withRole(t, trustsLambda)
	for service, want := range map[string]bool{"lambda.amazonaws.com": true, "ec2.amazonaws.com": false} {
		if got := s.AssumableBy(arn, service); got != want {
			t.Errorf("%s: %v", service, got)
		}
	}
	if s.Exists("arn:aws:iam::"+account+":role/other") || s.Exists("arn:aws:iam::222222222222:role/r") || !s.Exists(arn) {
		t.Error("roles exist by their whole ARN")
	}
}

func TestADenyingTrustWins(t *testing.T) {
	s, _ := withRole(t, `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:*"},
		{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111111111111:user/mallory"},"Action":"sts:AssumeRole"}]}`)
	d, err := parseDocument(s.roles["r"].trust)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"alice": true, "mallory": false} {
		if got := d.admits(caller{arn: "arn:aws:iam::111111111111:user/" + name, account: account}); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestResourcePoliciesNameTheirSource(t *testing.T) {
	const rule = "arn:aws:events:eu-west-1:111111111111:rule/hourly"
	statement := func(condition string) string {
		return `{"Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"*"` + condition + `}]}`
	}
	for condition, want := range map[string]bool{
		``: true,
		`,"Condition":{"ArnLike":{"AWS:SourceArn":"` + rule + `"}}`:                                 true,
		`,"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:events:eu-west-1:111111111111:rule/*"}}`: true,
		`,"Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}`:                          false,
		`,"Condition":{"StringEquals":{"AWS:SourceAccount":"222222222222"}}`:                        false,
	} {
		if got := Permits([]byte(statement(condition)), "events.amazonaws.com", "lambda:InvokeFunction", rule); got != want {
			t.Errorf("%s: %v", condition, got)
		}
	}
	if Permits([]byte(statement("")), "s3.amazonaws.com", "lambda:InvokeFunction", rule) {
		t.Error("another service is permitted")
	}
}

// TestWhatARoleMayDo: actions, resources and conditions, all of a statement.
func TestWhatARoleMayDo(t *testing.T) {
	const queue = "arn:aws:sqs:eu-west-1:111111111111:preview-orders"
	statement := func(effect, rest string) string {
		return `{"Statement":{"Effect":"` + effect + `","Action":"sqs:*",` + rest + `}}`
	}
	named, team := `"Resource":"arn:aws:sqs:*:*:preview-*"`, `"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":["shop"]}}`
	for name, c := range map[string]struct {
		policies []string
		ask      Ask
		want     bool
	}{
		"its name":              {[]string{statement("Allow", named)}, Ask{Action: "sqs:DeleteQueue", Resource: queue}, true},
		"another name":          {[]string{statement("Allow", named)}, Ask{Action: "sqs:DeleteQueue", Resource: "arn:aws:sqs:eu-west-1:1:production-x"}, false},
		"no resource at all":    {[]string{statement("Allow", named)}, Ask{Action: "sqs:ListQueues", Resource: "*"}, false},
		"another action":        {[]string{statement("Allow", named)}, Ask{Action: "sns:Publish", Resource: queue}, false},
		"the condition is met":  {[]string{statement("Allow", team)}, Ask{Action: "sqs:TagQueue", Resource: queue, Known: map[string]string{"aws:requesttag/team": "shop"}}, true},
		"it is not":             {[]string{statement("Allow", team)}, Ask{Action: "sqs:TagQueue", Resource: queue, Known: map[string]string{"aws:requesttag/team": "x"}}, false},
		"nothing is known":      {[]string{statement("Allow", team)}, Ask{Action: "sqs:TagQueue", Resource: queue}, false},
		"a denial wins":         {[]string{statement("Allow", `"Resource":"*"`), statement("Deny", named)}, Ask{Action: "sqs:DeleteQueue", Resource: queue}, false},
		"a denial of something": {[]string{statement("Allow", `"Resource":"*"`), statement("Deny", team)}, Ask{Action: "sqs:DeleteQueue", Resource: queue}, true},
		"no policy":             {nil, Ask{Action: "sqs:DeleteQueue", Resource: queue}, false},
	} {
		s, arn := withRole(t, trustsLambda, c.policies...)
		if got := s.May(arn, c.ask); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
