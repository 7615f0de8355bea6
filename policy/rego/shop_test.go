package rego

import (
	"os"
	"testing"

	"mooring.dev/policy"
)

// shop loads the policies of the example repository.
func shop(t testing.TB) *Bundle {
	t.Helper()
	b, err := Load(os.DirFS("../../testdata/shop/control"), LoadOptions{Revision: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestShopPoliciesLoadAndPassTheirTests(t *testing.T) {
	b := shop(t)
	if b.Tests < 30 {
		t.Errorf("only %d tests ran", b.Tests)
	}
	for _, p := range points {
		if len(b.Packages(p)) == 0 && p != policy.Activation {
			t.Errorf("no package at %s", p)
		}
	}
	if b.ReadsActor() {
		t.Error("the shop's drift policy would wait for the audit trail")
	}
}
