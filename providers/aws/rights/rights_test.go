package rights

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mooring.dev/sources/manifest"
)

func declared(kind, name, physical string, spec any) manifest.Resource {
	return manifest.Resource{Ref: manifest.Ref{Kind: kind, Name: name}, Physical: physical, Spec: spec}
}

var queueRows = []Row{
	{For: Observe, Calls: []string{"sqs:GetQueueUrl"}, On: []string{"arn:{partition}:sqs:{region}:{account}:{name}"}},
	{For: Delete, Calls: []string{"sqs:DeleteQueue"}, On: []string{"arn:{partition}:sqs:{region}:{account}:{name}"}},
}

func TestCapabilitiesAreRead(t *testing.T) {
	got, err := Parse("delete, observe,delete")
	if err != nil || !slices.Equal(got, []Capability{Observe, Delete}) {
		t.Errorf("%v %v", got, err)
	}
	if got := Without(got); !slices.Equal(got, []Capability{Check, Manage, Detach}) {
		t.Errorf("without: %v", got)
	}
	for _, bad := range []string{"", "observe,", "Observe", "admin"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestNamesNarrow: the prefix where a name has it, the name where not, and
// everything only without a repository.
func TestNamesNarrow(t *testing.T) {
	in := Scope{
		Region: "eu-west-1", Account: "111111111111", Prefix: "preview-",
		Resources: []manifest.Resource{declared("Queue", "a", "preview-a", nil), declared("Queue", "b", "preview-b", nil), declared("Queue", "c", "legacy", nil)},
	}
	for what, c := range map[string]struct {
		in   Scope
		want []string
	}{
		"prefix":     {in, []string{"arn:aws:sqs:eu-west-1:111111111111:legacy", "arn:aws:sqs:eu-west-1:111111111111:preview-*"}},
		"everything": {Scope{}, []string{"arn:aws:sqs:*:*:*"}},
		"no prefix":  {Scope{Region: "r", Account: "1", Partition: "aws-cn", Resources: in.Resources[:1]}, []string{"arn:aws-cn:sqs:r:1:preview-a"}},
		"no queue":   {Scope{Region: "r", Resources: []manifest.Resource{}}, nil},
	} {
		var got []string
		for _, g := range c.in.Grants("Queue", queueRows, Default()) {
			got = append(got, g.Resources...)
			if slices.Contains(g.Actions, "sqs:DeleteQueue") {
				t.Errorf("%s: deleting is granted unasked", what)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// TestOnlyNamedRolesArePassed: references become names, ARNs stay, and what
// names none grants nothing.
func TestOnlyNamedRolesArePassed(t *testing.T) {
	role := func(res manifest.Resource) []manifest.Value { return []manifest.Value{res.Spec.(manifest.Value)} }
	rows := []Row{{
		For: Manage, Also: []string{"iam:PassRole"}, On: []string{"arn:{partition}:iam::{account}:role/{name}"}, Of: role,
		Where: Condition{"StringEquals": {"iam:PassedToService": {"lambda.amazonaws.com"}}},
	}}
	all := []manifest.Resource{
		declared("Role", "f", "f-role", nil), declared("Role", "other", "other-role", nil),
		declared("Function", "f", "f", manifest.Value{Ref: manifest.Ref{Kind: "Role", Name: "f"}}),
		declared("Function", "g", "g", manifest.Value{Literal: "arn:aws:iam::222222222222:role/theirs"}),
	}
	got := Scope{Account: "1", Resources: all}.Grants("Function", rows, All())
	want := []string{"arn:aws:iam::1:role/f-role", "arn:aws:iam::222222222222:role/theirs"}
	if len(got) != 1 || !slices.Equal(got[0].Resources, want) || got[0].Where["StringEquals"]["iam:PassedToService"] == nil {
		t.Errorf("%+v, want %v behind the condition", got, want)
	}
	bare := declared("Function", "h", "h", manifest.Value{})
	if got := (Scope{Resources: []manifest.Resource{bare}}).Grants("Function", rows, All()); got != nil {
		t.Errorf("a function without a role: %+v", got)
	}
}

// TestRolesStayBehindTheirBoundary: with boundaries, no write of a bounded
// role is without the condition, and nothing takes a boundary off.
func TestRolesStayBehindTheirBoundary(t *testing.T) {
	const boundary = "arn:aws:iam::1:policy/limit"
	on := []string{"arn:{partition}:iam::{account}:role/{name}"}
	rows := []Row{
		{For: Manage, Calls: []string{"iam:PutRolePolicy"}, On: on, Bounded: true},
		{For: Manage, Calls: []string{"iam:DeleteRolePermissionsBoundary"}, On: on, Freed: true},
	}
	bounded := declared("Role", "a", "p-a", &manifest.RoleSpec{PermissionsBoundary: boundary})
	free := declared("Role", "b", "p-b", &manifest.RoleSpec{})
	grants := func(all ...manifest.Resource) []Grant {
		return Scope{Account: "1", Prefix: "p-", Resources: all}.Grants("Role", rows, All())
	}
	all := grants(bounded, free)
	for _, g := range all {
		held := slices.Equal(g.Where["StringEquals"]["iam:PermissionsBoundary"], []string{boundary})
		if !held && !slices.Equal(g.Resources, []string{"arn:aws:iam::1:role/p-b"}) {
			t.Errorf("%v on %v without the boundary", g.Actions, g.Resources)
		}
		if held && slices.Contains(g.Actions, "iam:DeleteRolePermissionsBoundary") {
			t.Error("a boundary may be taken off a role that declares one")
		}
	}
	if len(all) != 3 {
		t.Errorf("both: %+v", all)
	}
	if got := grants(bounded); len(got) != 1 || got[0].Where == nil {
		t.Errorf("bounded roles alone: %+v", got)
	}
	if got := grants(free); len(got) != 2 || got[0].Where != nil || got[0].Resources[0] != "arn:aws:iam::1:role/p-*" {
		t.Errorf("free roles alone: %+v", got)
	}
}

// TestRowsInUseEverywhere: what lists in every survey does so for kinds nobody
// declares, and nothing else does.
func TestRowsInUseEverywhere(t *testing.T) {
	rows := []Row{{For: Observe, Calls: []string{"scheduler:ListSchedules"}, On: []string{Everything}, Always: true}, queueRows[0]}
	got := Scope{Resources: []manifest.Resource{}}.Grants("Schedule", rows, All())
	if len(got) != 1 || got[0].Actions[0] != "scheduler:ListSchedules" || got[0].Why == "" {
		t.Errorf("%+v", got)
	}
}

// access is what a list of statements allows: action, resource and condition.
func access(statements []Statement) map[string]bool {
	out := map[string]bool{}
	for _, s := range statements {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				for _, value := range append([]string{""}, s.Condition["StringEquals"]["k"]...) {
					if (value == "") == (s.Condition == nil) {
						out[action+" "+resource+" "+value] = true
					}
				}
			}
		}
	}
	return out
}

// TestDocumentsSayWhatWasGranted: however grants are joined and split, what is
// allowed stays the same, each part fits, and sids are told apart.
func TestDocumentsSayWhatWasGranted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := func(of string, most int) []string {
			return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
				return fmt.Sprintf("%s:%s%03d", of, strings.Repeat("x", rapid.IntRange(0, 60).Draw(t, "long")), rapid.IntRange(0, 999).Draw(t, "n"))
			}), 1, most, rapid.ID[string]).Draw(t, of)
		}
		var grants []Grant
		want := map[string]bool{}
		for range rapid.IntRange(1, 25).Draw(t, "grants") {
			g := Grant{Kind: "Queue", Capability: rapid.SampledFrom(All()).Draw(t, "capability"), Actions: texts("a", 4), Resources: texts("r", 200)}
			values := []string{""}
			if rapid.Bool().Draw(t, "conditional") {
				values = texts("v", 2)
				g.Where = Condition{"StringEquals": {"k": values}}
			}
			slices.Sort(g.Actions)
			grants = append(grants, g)
			for _, a := range g.Actions {
				for _, r := range g.Resources {
					for _, v := range values {
						want[a+" "+r+" "+v] = true
					}
				}
			}
		}
		documents, got, sids := Documents(grants), map[string]bool{}, map[string]bool{}
		for _, d := range documents {
			if limit := map[bool]int{true: InlineLimit, false: ManagedLimit}[len(documents) == 1]; d.Size() > limit {
				t.Fatalf("%d characters in one of %d", d.Size(), len(documents))
			}
			for k := range access(d.Statement) {
				got[k] = true
			}
			for _, s := range d.Statement {
				if sids[s.Sid] {
					t.Fatalf("two statements are %s", s.Sid)
				}
				sids[s.Sid] = true
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%d allowed, %d granted", len(got), len(want))
		}
	})
}

func TestTrustIsForJustTheSession(t *testing.T) {
	d := Trust("arn:aws:iam::1:role/daemon", Session{Role: "r", ExternalID: "x", Tags: map[string]string{"team": "shop"}})
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"sts:ExternalId":["x"]`, `"aws:RequestTag/team":["shop"]`, `"sts:TagSession"`, `"AWS":["arn:aws:iam::1:role/daemon"]`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	if strings.Contains(string(text), `"Resource"`) {
		t.Error("a trust policy names no resource")
	}
	plain := Trust("p", Session{Role: "r"})
	if len(plain.Statement) != 1 || plain.Statement[0].Condition != nil {
		t.Errorf("%+v", plain)
	}
	calling := Calling([]Session{{Role: "a", Tags: map[string]string{"t": "v"}}, {Role: "b"}})
	if len(calling.Statement) != 2 || !slices.Equal(calling.Statement[0].Resource, []string{"a", "b"}) || !slices.Equal(calling.Statement[1].Resource, []string{"a"}) {
		t.Errorf("%+v", calling)
	}
}

// TestLongPoliciesAreSplit: over what stands inline, each part fits a managed
// policy, one long statement included.
func TestLongPoliciesAreSplit(t *testing.T) {
	var many []string
	for i := range 400 {
		many = append(many, fmt.Sprintf("arn:aws:sqs:eu-west-1:111111111111:some-queue-%03d", i))
	}
	documents := Documents([]Grant{
		{Kind: "Queue", Capability: Observe, Actions: []string{"sqs:GetQueueUrl"}, Resources: many},
		{Kind: "Topic", Capability: Observe, Actions: []string{"sns:GetTopicAttributes"}, Resources: many[:90]},
	})
	named := 0
	for _, d := range documents {
		if d.Size() > ManagedLimit {
			t.Errorf("%d characters", d.Size())
		}
		for _, s := range d.Statement {
			named += len(s.Resource)
		}
	}
	if len(documents) < 4 || named != 490 {
		t.Errorf("%d documents name %d resources", len(documents), named)
	}
}
