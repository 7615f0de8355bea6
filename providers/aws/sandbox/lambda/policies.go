package lambda

import (
	"encoding/json"
	"net/http"
	"strings"

	"mooring.dev/providers/aws/sandbox/wire"
)

const policyLimit = 20480

// policy is the resource policy of one qualifier, with a RevisionId of its own.
type policy struct {
	statements []statement
	revision   string
}

type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

func (p *policy) document() string {
	text, err := json.Marshal(struct {
		Version   string
		ID        string `json:"Id"`
		Statement []statement
	}{"2012-10-17", "default", p.statements})
	if err != nil {
		return "" // statements hold strings only
	}
	return string(text)
}

// public is true where everybody may call by URL without a signature. It takes
// two actions: the URL's, and the function's by way of it.
func (p *policy) public() bool {
	if p == nil {
		return false
	}
	byURL, function := false, false
	for _, st := range p.statements {
		if st.Principal != "*" || !st.holdsForAnyone() {
			continue
		}
		byURL = byURL || wire.Glob(st.Action, "lambda:InvokeFunctionUrl")
		function = function || wire.Glob(st.Action, "lambda:InvokeFunction")
	}
	return byURL && function
}

// holdsForAnyone is false where a condition asks for what a caller without a
// signature does not bring.
func (st statement) holdsForAnyone() bool {
	for _, keys := range st.Condition {
		for key, value := range keys {
			switch {
			case key == "lambda:FunctionUrlAuthType" && value == "NONE", key == "lambda:InvokedViaFunctionUrl" && value == "true":
			default:
				return false
			}
		}
	}
	return true
}

type permissionInput struct {
	StatementID         string `json:"StatementId"`
	Action, Principal   string
	SourceArn           string
	SourceAccount       string
	EventSourceToken    string
	PrincipalOrgID      string
	FunctionURLAuthType string `json:"FunctionUrlAuthType"`
	InvokedViaURL       *bool  `json:"InvokedViaFunctionUrl"`
	RevisionID          string `json:"RevisionId"`
}

func (in permissionInput) check() error {
	switch {
	case in.StatementID == "" || len(in.StatementID) > 100 || !plainName.MatchString(in.StatementID):
		return constraint(in.StatementID, "statementId", "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)")
	case !actionName.MatchString(in.Action):
		return constraint(in.Action, "action", "Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])")
	case !spaceless.MatchString(in.Principal):
		return constraint(in.Principal, "principal", `Member must satisfy regular expression pattern: [^\s]+`)
	case in.FunctionURLAuthType != "" && in.FunctionURLAuthType != "NONE" && in.FunctionURLAuthType != "AWS_IAM":
		return constraint(in.FunctionURLAuthType, "functionUrlAuthType", "Member must satisfy enum value set: [NONE, AWS_IAM]")
	case in.FunctionURLAuthType != "" && in.Action != "lambda:InvokeFunctionUrl":
		return invalid("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action")
	}
	_, err := principal(in.Principal)
	return err
}

// principal is how a policy spells who may call.
func principal(p string) (any, error) {
	switch {
	case p == "*":
		return "*", nil
	case strings.HasSuffix(p, ".amazonaws.com") || strings.HasSuffix(p, ".amazon.com"):
		return map[string]string{"Service": p}, nil
	case len(p) == 12 && digits.MatchString(p):
		return map[string]string{"AWS": "arn:aws:iam::" + p + ":root"}, nil
	case strings.HasPrefix(p, "arn:"):
		return map[string]string{"AWS": p}, nil
	}
	return nil, invalid("The provided principal was invalid. Please check the principal and try again.")
}

func (in permissionInput) condition() map[string]map[string]string {
	out := map[string]map[string]string{}
	add := func(operator, key, value string) {
		if value == "" {
			return
		}
		if out[operator] == nil {
			out[operator] = map[string]string{}
		}
		out[operator][key] = value
	}
	add("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	add("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	add("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	add("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionURLAuthType)
	add("ArnLike", "AWS:SourceArn", in.SourceArn)
	if in.InvokedViaURL != nil && *in.InvokedViaURL {
		add("Bool", "lambda:InvokedViaFunctionUrl", "true")
	}
	return out
}

func (s *Service) addPermission(q *request) (reply, error) {
	var in permissionInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	if err := in.check(); err != nil {
		return reply{}, err
	}
	f, qualifier, err := s.policyOwner(q)
	if err != nil {
		return reply{}, err
	}
	old := f.policies[qualifier]
	next := &policy{revision: newID()}
	if old != nil {
		next.statements = append(next.statements, old.statements...)
	}
	if in.RevisionID != "" && (old == nil || in.RevisionID != old.revision) {
		return reply{}, stalePolicy()
	}
	for _, st := range next.statements {
		if st.Sid == in.StatementID {
			return reply{}, conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementID)
		}
	}
	who, err := principal(in.Principal)
	if err != nil {
		return reply{}, err
	}
	added := statement{Sid: in.StatementID, Effect: "Allow", Principal: who, Action: in.Action,
		Resource: s.qualifiedARN(f.name, qualifier), Condition: in.condition()}
	next.statements = append(next.statements, added)
	if n := len(next.document()); n > policyLimit {
		return reply{}, fault(http.StatusBadRequest, "PolicyLengthExceededException", "The final policy size (%d) is bigger than the limit (%d).", n, policyLimit)
	}
	f.policies[qualifier] = next
	text, err := json.Marshal(added)
	if err != nil {
		return reply{}, err
	}
	return created(map[string]string{"Statement": string(text)})
}

// policyOwner is the function and the qualifier whose policy a call means.
func (s *Service) policyOwner(q *request) (*function, string, error) {
	f, ref, err := s.find(q)
	if err != nil {
		return nil, "", err
	}
	if ref.qualifier == latest {
		return nil, "", invalid("We currently do not support adding policies for $LATEST.")
	}
	if _, err := s.version(f, ref.qualifier); err != nil {
		return nil, "", err
	}
	return f, ref.qualifier, nil
}

func (s *Service) getPolicy(q *request) (reply, error) {
	f, qualifier, err := s.policyOwner(q)
	if err != nil {
		return reply{}, err
	}
	p := f.policies[qualifier]
	if p == nil {
		return reply{}, notFound("The resource you requested does not exist.")
	}
	return ok(map[string]string{"Policy": p.document(), "RevisionId": p.revision})
}

func (s *Service) removePermission(q *request) (reply, error) {
	f, qualifier, err := s.policyOwner(q)
	if err != nil {
		return reply{}, err
	}
	p := f.policies[qualifier]
	if p == nil {
		return reply{}, notFound("No policy is associated with the given resource.")
	}
	if guard := q.query.Get("RevisionId"); guard != "" && guard != p.revision {
		return reply{}, stalePolicy()
	}
	next := &policy{revision: newID()}
	for _, st := range p.statements {
		if st.Sid != q.path["StatementId"] {
			next.statements = append(next.statements, st)
		}
	}
	if len(next.statements) == len(p.statements) {
		return reply{}, notFound("Statement %s is not found in resource policy.", q.path["StatementId"])
	}
	f.policies[qualifier] = next
	if len(next.statements) == 0 {
		delete(f.policies, qualifier)
	}
	return noContent()
}
