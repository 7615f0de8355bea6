package rights

import (
	"maps"
	"slices"
)

// Session is how a role is taken on.
type Session struct {
	Role       string // ARN
	ExternalID string
	Tags       map[string]string
}

// Trust is the trust policy of the role that somebody takes on: with the
// external id and just the tags the session is declared to have.
func Trust(principal string, s Session) Document {
	who := map[string][]string{"AWS": {principal}}
	equals := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		equals["aws:RequestTag/"+name] = []string{s.Tags[name]}
	}
	d := Document{Version: version}
	if len(equals) > 0 {
		d.Statement = append(d.Statement, Statement{
			Sid: "Tag", Effect: "Allow", Principal: who, Action: []string{"sts:TagSession"}, Condition: Condition{"StringEquals": equals},
		})
	}
	assume := Statement{Sid: "Assume", Effect: "Allow", Principal: who, Action: []string{"sts:AssumeRole"}}
	required := maps.Clone(equals)
	if s.ExternalID != "" {
		required["sts:ExternalId"] = []string{s.ExternalID}
	}
	if len(required) > 0 {
		assume.Condition = Condition{"StringEquals": required}
	}
	d.Statement = append([]Statement{assume}, d.Statement...)
	return d
}

// Calling is what the identity needs that takes roles on.
func Calling(sessions []Session) Document {
	var assumed, tagged []string
	for _, s := range sessions {
		assumed = append(assumed, s.Role)
		if len(s.Tags) > 0 {
			tagged = append(tagged, s.Role)
		}
	}
	d := Document{Version: version, Statement: []Statement{
		{Sid: "Assume", Effect: "Allow", Action: []string{"sts:AssumeRole"}, Resource: covered(assumed)},
	}}
	if len(tagged) > 0 {
		d.Statement = append(d.Statement, Statement{Sid: "Tag", Effect: "Allow", Action: []string{"sts:TagSession"}, Resource: covered(tagged)})
	}
	return d
}
