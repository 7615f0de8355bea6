package lambda

import "encoding/json"

// A layer version has a policy of its own: it says which accounts may use it.

type layerPermissionInput struct {
	StatementID       string `json:"StatementId"`
	Action, Principal string
	OrganizationID    string `json:"OrganizationId"`
}

func (in layerPermissionInput) check() error {
	switch {
	case in.StatementID == "" || len(in.StatementID) > 100 || !plainName.MatchString(in.StatementID):
		return constraint(in.StatementID, "statementId", "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)")
	case in.Action != "lambda:GetLayerVersion":
		return constraint(in.Action, "action", "Member must satisfy regular expression pattern: lambda:GetLayerVersion")
	case in.Principal != "*" && !isRootOrAccount(in.Principal):
		return constraint(in.Principal, "principal", `Member must satisfy regular expression pattern: \d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root`)
	case in.OrganizationID != "" && in.Principal != "*":
		return invalid("OrganizationId can only be used with Principal *.")
	}
	return nil
}

func isRootOrAccount(p string) bool {
	return len(p) == 12 && digits.MatchString(p) || rootARN.MatchString(p)
}

func (s *Service) offeredIn(q *request) (string, *layerVersion, error) {
	name := q.path["LayerName"]
	v := s.offered(name, number(q.path["VersionNumber"]))
	if v == nil {
		return "", nil, notFound("The resource you requested does not exist.")
	}
	return name, v, nil
}

func (s *Service) addLayerPermission(q *request) (reply, error) {
	var in layerPermissionInput
	if err := q.decode(&in); err != nil {
		return reply{}, err
	}
	if err := in.check(); err != nil {
		return reply{}, err
	}
	name, v, err := s.offeredIn(q)
	if err != nil {
		return reply{}, err
	}
	if err := v.unchanged(q); err != nil {
		return reply{}, err
	}
	next := &policy{revision: newID()}
	if v.policy != nil {
		next.statements = append(next.statements, v.policy.statements...)
	}
	for _, st := range next.statements {
		if st.Sid == in.StatementID {
			return reply{}, conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementID)
		}
	}
	who := any(map[string]string{"AWS": in.Principal})
	if len(in.Principal) == 12 {
		who = map[string]string{"AWS": "arn:aws:iam::" + in.Principal + ":root"}
	} else if in.Principal == "*" {
		who = "*"
	}
	added := statement{Sid: in.StatementID, Effect: "Allow", Principal: who, Action: in.Action, Resource: s.layerARN(name) + ":" + itoa(v.number)}
	if in.OrganizationID != "" {
		added.Condition = map[string]map[string]string{"StringEquals": {"aws:PrincipalOrgID": in.OrganizationID}}
	}
	next.statements = append(next.statements, added)
	v.policy = next
	text, err := json.Marshal(added)
	if err != nil {
		return reply{}, err
	}
	return created(map[string]string{"Statement": string(text), "RevisionId": next.revision})
}

// unchanged honours the guard of a change.
func (v *layerVersion) unchanged(q *request) error {
	if guard := q.query.Get("RevisionId"); guard != "" && (v.policy == nil || guard != v.policy.revision) {
		return stalePolicy()
	}
	return nil
}

func (s *Service) getLayerPolicy(q *request) (reply, error) {
	_, v, err := s.offeredIn(q)
	if err != nil {
		return reply{}, err
	}
	if v.policy == nil {
		return reply{}, notFound("No policy is associated with the given resource.")
	}
	return ok(map[string]string{"Policy": v.policy.document(), "RevisionId": v.policy.revision})
}

func (s *Service) removeLayerPermission(q *request) (reply, error) {
	_, v, err := s.offeredIn(q)
	if err != nil {
		return reply{}, err
	}
	if err := v.unchanged(q); err != nil {
		return reply{}, err
	}
	next := &policy{revision: newID()}
	found := false
	if v.policy != nil {
		for _, st := range v.policy.statements {
			if st.Sid == q.path["StatementId"] {
				found = true
				continue
			}
			next.statements = append(next.statements, st)
		}
	}
	if !found {
		return reply{}, notFound("Statement %s is not found in resource policy.", q.path["StatementId"])
	}
	if v.policy = next; len(next.statements) == 0 {
		v.policy = nil
	}
	return noContent()
}
