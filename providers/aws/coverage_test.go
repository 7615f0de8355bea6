package aws

import (
	"fmt"
	"reflect"
	"testing"
)

// TestNoMemberIsOverlooked fails when the SDK learns a member that is neither
// managed nor listed with the reason why not: that is how "every field" stays
// true.
func TestNoMemberIsOverlooked(t *testing.T) { overlooked(t, coverage()) }

// overlooked holds a table against the SDK. New tables belong into coverage():
// the page of what is not managed is made from it.
func overlooked(t *testing.T, table []covered) {
	t.Helper()
	for _, c := range table {
		seen := map[string]bool{}
		for _, name := range membersOf(c.of) {
			seen[name] = true
			if _, known := c.members[name]; !known {
				t.Errorf("%s has a new member %s: manage it, or list it with the reason why not", structureName(c.of), name)
			}
		}
		for name := range c.members {
			if !seen[name] {
				t.Errorf("%s has no member %s any more", structureName(c.of), name)
			}
		}
	}
}

// membersOf are the exported fields of a structure, or the values of an
// enumeration.
func membersOf(of any) []string {
	var names []string
	typ := reflect.TypeOf(of)
	if typ.Kind() != reflect.Struct {
		values := reflect.ValueOf(of).MethodByName("Values").Call(nil)[0]
		for i := range values.Len() {
			names = append(names, fmt.Sprint(values.Index(i)))
		}
		return names
	}
	for i := range typ.NumField() {
		if typ.Field(i).IsExported() {
			names = append(names, typ.Field(i).Name)
		}
	}
	return names
}

// TestReasonsAreGiven: what is not managed has a reason a reader can use.
func TestReasonsAreGiven(t *testing.T) {
	found := map[string]bool{}
	for _, e := range NotManaged() {
		if e.Reason == "" || len(e.Members) == 0 {
			t.Errorf("%+v", e)
		}
		found[e.Structure] = true
	}
	if !found["lambda FunctionConfiguration"] || !found["sqs QueueAttributeName"] {
		t.Errorf("only %v", found)
	}
}
