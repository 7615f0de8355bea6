package aws

import (
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mooring.dev/providers/aws/rights"
	"mooring.dev/sources/manifest"
)

// settings are kinds that are parts of what stays: taking them off belongs to
// managing it.
var settings = map[string]bool{
	manifest.KindPermission: true, manifest.KindURL: true, manifest.KindAsync: true, manifest.KindConcurrency: true,
	manifest.KindProvisioned: true, manifest.KindRuntimeManagement: true, manifest.KindNotification: true,
}

// entries are the functions by which the provider comes to a kind, for one
// capability. Of what is detached, the parent is asked.
func entries(kind, typ string, c rights.Capability) []string {
	methods := map[rights.Capability][]string{
		rights.Observe: {"observe", "survey"}, rights.Check: {"invoke", "metrics"}, rights.Manage: {"put", "publish", "route"},
		rights.Detach: {"detach"}, rights.Delete: {"remove", "clean"},
	}[c]
	if settings[kind] && c == rights.Manage {
		methods = append(methods, "remove")
	}
	if settings[kind] && c == rights.Delete || kind == manifest.KindRoute && c == rights.Detach { // a route's parent is its API
		return nil
	}
	var out []string
	for _, m := range methods {
		out = append(out, typ+"."+m)
	}
	return append(out, map[string]map[rights.Capability][]string{
		manifest.KindAlarm:         {rights.Check: {"Provider.AlarmStates"}},
		manifest.KindAlias:         {rights.Check: {"Provider.Measure"}},
		manifest.KindWorkflowAlias: {rights.Check: {"Provider.Measure"}},
		manifest.KindRole:          {rights.Detach: {"roleKind.dropPolicy"}},
		manifest.KindAPI:           {rights.Detach: {"routeKind.detach"}},
		manifest.KindFunction: {rights.Detach: {
			"Provider.detachMapping", "Provider.detachQualified", "aliasKind.drop", "provisionedKind.remove", "runtimeKind.remove", "concurrencyKind.remove",
		}},
	}[kind][c]...)
}

// TestDetachIsGranted: what is detached comes through one function, whose
// calls are all among the rows for it.
func TestDetachIsGranted(t *testing.T) {
	granted := map[string]bool{}
	for _, k := range (&Provider{}).allKinds() {
		maps.Copy(granted, callsIn(k.kind.rights())[rights.Detach])
		maps.Copy(granted, callsIn(k.kind.rights())[rights.Observe])
	}
	made := graphOf(t, ".").reach("Provider.Detach")
	if len(made) < 20 {
		t.Fatalf("only %v", made)
	}
	for op := range made {
		if !granted[op] {
			t.Errorf("detaching comes to %s, and no row names it", op)
		}
	}
}

// callsIn are the operations rows name, by capability.
func callsIn(rows []rights.Row) map[rights.Capability]map[string]bool {
	out := map[rights.Capability]map[string]bool{}
	for _, row := range rows {
		if out[row.For] == nil {
			out[row.For] = map[string]bool{}
		}
		for _, call := range row.Calls {
			out[row.For][call] = true
		}
	}
	return out
}

// TestRightsAreWhatIsCalled holds the rows of each kind against the code: for
// each capability they name the operations that the kind's functions come to,
// none missing and none more. Looks are not said again beside writes.
func TestRightsAreWhatIsCalled(t *testing.T) {
	g := graphOf(t, ".")
	looks := map[string]bool{}
	for _, k := range (&Provider{}).allKinds() {
		maps.Copy(looks, callsIn(k.kind.rights())[rights.Observe])
	}
	maps.Copy(looks, callsIn(everyShared())[rights.Observe])
	for _, k := range (&Provider{}).allKinds() {
		granted := callsIn(k.kind.rights())
		if len(granted[rights.Observe]) == 0 {
			t.Errorf("%s has no row of rights", k.name)
		}
		for _, c := range rights.All() {
			for _, name := range entries(k.name, "", c) {
				if _, known := g.uses[name]; !known && !strings.HasPrefix(name, ".") {
					t.Errorf("the code has no %s", name)
				}
			}
			made := g.reach(entries(k.name, reflect.TypeOf(k.kind).Name(), c)...)
			if c != rights.Observe {
				maps.DeleteFunc(made, func(op string, _ bool) bool { return looks[op] && !granted[c][op] })
			}
			compare(t, k.name+" "+string(c), granted[c], made)
		}
	}
}

// everyShared are the rows of everything switched on.
func everyShared() []rights.Row {
	return append(sharedRights("hints"), switchRights(AnySettings().Deadman, "*")...)
}

// compare tells what is granted and never called, and what is called and not
// granted.
func compare(t *testing.T, what string, granted, made map[string]bool) {
	t.Helper()
	for op := range made {
		if !granted[op] {
			t.Errorf("%s: the code comes to %s, and no row names it", what, op)
		}
	}
	for op := range granted {
		if !made[op] {
			t.Errorf("%s: a row names %s, which the code never comes to", what, op)
		}
	}
}

// TestEveryCallHasARight: what the package's code calls anywhere is in some
// row, and no row names anything else.
func TestEveryCallHasARight(t *testing.T) {
	granted, made := map[string]bool{}, map[string]bool{}
	for _, k := range (&Provider{}).allKinds() {
		for _, ops := range callsIn(k.kind.rights()) {
			maps.Copy(granted, ops)
		}
	}
	for _, ops := range callsIn(everyShared()) {
		maps.Copy(granted, ops)
	}
	for _, ops := range graphOf(t, ".").ops {
		maps.Copy(made, ops)
	}
	for _, call := range importCalls {
		if granted[call] || !made[call] {
			t.Errorf("%s: importing makes no such call of its own", call)
		}
		delete(made, call)
	}
	compare(t, "the provider", granted, made)
}

// importCalls are those that only an import makes: by whoever imports, once,
// and never by the daemon.
var importCalls = []string{
	"dynamodb:ListTables", "eventbridge:ListEventBuses", "s3:GetBucketLocation", "s3:ListBuckets", "sfn:ListStateMachines", "sns:ListTopics",
}

// TestImportCallsAreImports: nothing that the daemon calls comes to them, and
// the page about imports names them.
func TestImportCallsAreImports(t *testing.T) {
	g := graphOf(t, ".")
	var daemon []string
	for name := range g.uses {
		if method, public := strings.CutPrefix(name, "Provider."); public && token.IsExported(method) && method != "Adopt" && method != "Code" {
			daemon = append(daemon, name)
		}
	}
	for _, k := range (&Provider{}).allKinds() {
		for _, c := range rights.All() {
			daemon = append(daemon, entries(k.name, reflect.TypeOf(k.kind).Name(), c)...)
		}
	}
	made := g.reach(daemon...)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "import.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range importCalls {
		if made[call] {
			t.Errorf("the daemon comes to %s: give it a row", call)
		}
		if !strings.Contains(string(page), "`"+rights.Action(call)+"`") {
			t.Errorf("docs/import.md does not name %s", rights.Action(call))
		}
	}
}

// TestTagsOfFunctionsAreReadable: no call has the right's name, but GetFunction
// leaves the tags out for who lacks it.
func TestTagsOfFunctionsAreReadable(t *testing.T) {
	for _, g := range Grants(rights.Scope{}, Settings{}, []rights.Capability{rights.Observe}) {
		if g.Kind == manifest.KindFunction && slices.Contains(g.Actions, "lambda:GetFunction") && !slices.Contains(g.Actions, "lambda:ListTags") {
			t.Errorf("%v", g.Actions)
		}
	}
}
