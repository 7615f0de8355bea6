package diagnose

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Answer to what a policy allows. The zero Answer is No.
type Answer int

// Answers.
const (
	No Answer = iota
	Unclear
	Yes
)

// Sender is a service that sends to a queue for something of ours.
type Sender struct {
	Service string // events.amazonaws.com
	Source  string // ARN of the rule
	Queue   string // ARN
}

type statement struct {
	Effect       string
	Principal    any
	NotPrincipal any
	Action       many
	NotAction    many
	Resource     many
	NotResource  many
	Condition    map[string]map[string]many
}

// many is IAM's "one or many".
type many []string

// UnmarshalJSON takes one text or a list of them.
func (m *many) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*m = many{one}
		return nil
	}
	var list []any
	if err := json.Unmarshal(raw, &list); err != nil {
		*m = many{string(raw)} // a number or truth value
		return nil
	}
	for _, item := range list {
		*m = append(*m, fmt.Sprint(item))
	}
	return nil
}

// MaySend says whether a queue's policy lets the sender send, and why not.
// Conditions it does not know make the answer Unclear.
func MaySend(policy string, s Sender) (Answer, string) {
	if policy == "" {
		return No, "there is none"
	}
	var doc struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return Unclear, "it is no policy document"
	}
	var statements []statement
	if err := json.Unmarshal(doc.Statement, &statements); err != nil {
		var one statement
		if err := json.Unmarshal(doc.Statement, &one); err != nil {
			return Unclear, "it is no policy document"
		}
		statements = []statement{one}
	}
	best, why := No, "no statement allows sqs:SendMessage to "+s.Service
	for _, st := range statements {
		if !st.about(s) {
			continue
		}
		holds, reason := st.holds(s)
		switch {
		case st.Effect == "Deny" && holds == Yes:
			return No, "a statement denies it"
		case st.Effect == "Deny" && holds == Unclear:
			return Unclear, "a statement denies it under conditions: " + reason
		case st.Effect == "Allow" && holds >= best:
			best, why = holds, reason
		}
	}
	return best, why
}

// about: sender, action and resource are those of the statement.
func (st statement) about(s Sender) bool {
	if st.NotPrincipal != nil || len(st.NotAction) > 0 || len(st.NotResource) > 0 {
		return st.Effect == "Deny" && st.NotPrincipal == nil && !st.NotAction.has("sqs:SendMessage") && !st.NotResource.has(s.Queue)
	}
	return principalIs(st.Principal, s.Service) && st.Action.has("sqs:SendMessage") && (len(st.Resource) == 0 || st.Resource.has(s.Queue))
}

func principalIs(principal any, service string) bool {
	switch p := principal.(type) {
	case string:
		return p == "*"
	case map[string]any:
		for kind, names := range p {
			list, isList := names.([]any)
			if !isList {
				list = []any{names}
			}
			for _, name := range list {
				if name == "*" || kind == "Service" && name == service {
					return true
				}
			}
		}
	}
	return false
}

func (m many) has(name string) bool {
	for _, pattern := range m {
		if glob(strings.ToLower(pattern), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// holds judges the conditions that such policies have: where it comes from.
func (st statement) holds(s Sender) (Answer, string) {
	account := ""
	if parts := strings.SplitN(s.Source, ":", 6); len(parts) == 6 {
		account = parts[4]
	}
	for operator, keys := range st.Condition {
		operator = strings.TrimSuffix(strings.ToLower(operator), "ifexists")
		for key, values := range keys {
			have := map[string]string{"aws:sourcearn": s.Source, "aws:sourceaccount": account}[strings.ToLower(key)]
			var match bool
			switch operator {
			case "arnequals", "arnlike", "stringlike":
				match = values.hasExact(have)
			case "stringequals", "stringequalsignorecase":
				match = values.hasText(have)
			default:
				return Unclear, "the condition " + operator + " " + key
			}
			if have == "" {
				return Unclear, "the condition " + operator + " " + key
			}
			if !match {
				return No, fmt.Sprintf("its condition wants %s %s, and the rule is %s", key, strings.Join(values, " or "), have)
			}
		}
	}
	return Yes, ""
}

func (m many) hasExact(text string) bool {
	for _, pattern := range m {
		if glob(pattern, text) {
			return true
		}
	}
	return false
}

func (m many) hasText(text string) bool {
	for _, value := range m {
		if value == text {
			return true
		}
	}
	return false
}

// glob matches * and ? of IAM's patterns, going back to the last * only.
func glob(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
