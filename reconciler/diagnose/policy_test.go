package diagnose

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var ours = Sender{Service: "events.amazonaws.com", Source: "arn:aws:events:eu-west-1:111111111111:rule/hints", Queue: "arn:aws:sqs:eu-west-1:111111111111:mooring-hints"}

// TestMaySend: what queue policies say, by the ways people write them.
func TestMaySend(t *testing.T) {
	service := `"Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + ours.Queue + `"`
	from := func(arn string) string { return `,"Condition":{"ArnEquals":{"aws:SourceArn":"` + arn + `"}}` }
	for name, c := range map[string]struct {
		statements string
		want       Answer
	}{
		"as documented":            {`{"Effect":"Allow",` + service + from(ours.Source) + `}`, Yes},
		"without a condition":      {`{"Effect":"Allow",` + service + `}`, Yes},
		"one statement, no list":   {`ONE{"Effect":"Allow",` + service + `}`, Yes},
		"lists everywhere":         {`{"Effect":"Allow","Principal":{"Service":["sns.amazonaws.com","events.amazonaws.com"]},"Action":["sqs:GetQueueUrl","SQS:SendMessage"],"Resource":["*"]}`, Yes},
		"a pattern of rules":       {`{"Effect":"Allow",` + service + `,"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:events:*:111111111111:rule/*"}}}`, Yes},
		"of the account":           {`{"Effect":"Allow",` + service + `,"Condition":{"StringEquals":{"AWS:SourceAccount":"111111111111"}}}`, Yes},
		"everybody, from the rule": {`{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"` + from(ours.Source) + `}`, Yes},
		"nothing":                  {``, No},
		"another rule":             {`{"Effect":"Allow",` + service + from(ours.Source+"-2") + `}`, No},
		"another account":          {`{"Effect":"Allow",` + service + `,"Condition":{"StringEquals":{"aws:SourceAccount":"222222222222"}}}`, No},
		"another service":          {`{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"*"}`, No},
		"an account":               {`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sqs:*","Resource":"*"}`, No},
		"another action":           {`{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:ReceiveMessage","Resource":"*"}`, No},
		"another queue":            {`{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + ours.Queue + `-2"}`, No},
		"denied besides":           {`{"Effect":"Allow",` + service + `},{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}`, No},
		"denied to others":         {`{"Effect":"Allow",` + service + `},{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"` + from("arn:aws:events:eu-west-1:111111111111:rule/x") + `}`, Yes},
		"denied without TLS":       {`{"Effect":"Allow",` + service + `},{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`, Unclear},
		"a condition of its own":   {`{"Effect":"Allow",` + service + `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`, Unclear},
		"two ways, one holds":      {`{"Effect":"Allow",` + service + from("other") + `},{"Effect":"Allow",` + service + from(ours.Source) + `}`, Yes},
		"one way, one that is not": {`{"Effect":"Allow",` + service + from(ours.Source) + `},{"Effect":"Allow",` + service + from("other") + `}`, Yes},
	} {
		doc := `{"Version":"2012-10-17","Statement":[` + c.statements + `]}`
		if one, ok := strings.CutPrefix(c.statements, "ONE"); ok {
			doc = `{"Statement":` + one + `}`
		}
		got, why := MaySend(doc, ours)
		if got != c.want || got != Yes && why == "" {
			t.Errorf("%s: %d (%s), want %d", name, got, why, c.want)
		}
	}
	for _, doc := range []string{"{", `{"Statement":3}`} {
		if got, _ := MaySend(doc, ours); got != Unclear {
			t.Errorf("%s: %d", doc, got)
		}
	}
	if got, _ := MaySend("", ours); got != No {
		t.Error("a queue without a policy lets in")
	}
}

// TestGlob: a pattern matches what it was made of, and nothing without it.
func TestGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 1, 4).Draw(t, "parts")
		fill := rapid.SliceOfN(rapid.StringMatching(`[abc]{0,3}`), 4, 4).Draw(t, "fill")
		text := parts[0]
		for i, p := range parts[1:] {
			text += fill[i] + p
		}
		pattern := strings.Join(parts, "*")
		if !glob(pattern, text) {
			t.Fatalf("%q does not match %q", pattern, text)
		}
		if glob(pattern+"z", text) || glob("z"+pattern, text) || len(text) > 0 && glob(strings.Repeat("?", len(text)+1), text) {
			t.Fatalf("%q matches with more than is there", pattern)
		}
	})
}
