package main

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox/wire"
)

var sweepSeed = flag.Uint64("sweepseed", 1, "which cases a sample of the sweep takes")

// honest holds what Mooring changed against what it may change, whatever went
// wrong meanwhile.
func honest(t testing.TB, c *cloud, episodes []episode) {
	t.Helper()
	versions := map[string]map[string]bool{}
	for _, call := range c.Calls(time.Time{}) {
		if call.Service == "lambda" && call.Operation == "PublishVersion" && happened(call) {
			name, number := text(call.Params["functionName"]), text(call.Response["version"])
			if number == "" {
				number = text(call.Response["Version"])
			}
			if versions[name] == nil {
				versions[name] = map[string]bool{}
			}
			versions[name][number] = true
		}
		if call.ReadOnly || call.Actor.Name != sweepActor || !happened(call) {
			continue
		}
		during := episodeOf(call, episodes)
		if why := improper(call, during, versions); why != "" {
			t.Errorf("during %s: %s:%s %v: %s", during, call.Service, call.Operation, call.Params, why)
		}
	}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// happened: the call took hold, whatever was answered.
func happened(c wire.Call) bool {
	return c.Status < 300 || c.Fault == "failAfter" || c.Fault == "drop"
}

func episodeOf(c wire.Call, episodes []episode) string {
	for _, e := range episodes {
		if !c.At.After(e.at) {
			return e.name
		}
	}
	return "the end"
}

// improper says why a change should never have been asked for.
func improper(c wire.Call, during string, versions map[string]map[string]bool) string {
	if whose := foreign(c); whose != "" {
		return whose + " is not Mooring's"
	}
	switch c.Operation {
	case "CreateAlias", "UpdateAlias":
		return misrouted(c, versions[text(c.Params["functionName"])])
	case "DeleteQueue":
		if during != "third release" || !strings.HasSuffix(text(c.Params["queueUrl"]), "/production-audit") {
			return "it is declared"
		}
	case "RemovePermission":
		if during != "drift" || text(c.Params["statementId"]) != "everybody" {
			return "it is declared"
		}
	case "DeleteEventSourceMapping":
		if during != "drift" && during != "third release" {
			return "every mapping is declared now"
		}
	default:
		if strings.HasPrefix(c.Operation, "Delete") || strings.HasPrefix(c.Operation, "Remove") || strings.HasPrefix(c.Operation, "Untag") {
			return "nothing of the kind was removed from Git"
		}
	}
	return ""
}

// foreign is the thing of somebody else's that a change names.
func foreign(c wire.Call) string {
	for _, member := range []string{"functionName", "queueName", "queueUrl", "roleName"} {
		name := text(c.Params[member])
		if i := strings.LastIndexAny(name, "/:"); i >= 0 && member != "functionName" {
			name = name[i+1:]
		}
		if name == "" {
			continue
		}
		for _, own := range []string{"checkout", "fulfil", "orders", "orders-dlq", "audit"} {
			if name == "production-"+own || strings.Contains(name, ":production-"+own) || strings.HasPrefix(name, "production-"+own+":") {
				name = ""
			}
		}
		if name != "" {
			return name
		}
	}
	return ""
}

// misrouted says what is wrong with where an alias is pointed.
func misrouted(c wire.Call, versions map[string]bool) string {
	main := text(c.Params["functionVersion"])
	if main != "" && !versions[main] {
		return fmt.Sprintf("version %s was never published (%v were)", main, versions)
	}
	config, _ := c.Params["routingConfig"].(map[string]any)
	weights, _ := config["additionalVersionWeights"].(map[string]any)
	for version, weight := range weights {
		share, ok := weight.(float64)
		if !ok || share <= 0 || share >= 1 || !versions[version] || version == main {
			return fmt.Sprintf("a share of %v for version %s beside %s", weight, version, main)
		}
	}
	if len(weights) > 1 {
		return fmt.Sprintf("%d versions beside %s", len(weights), main)
	}
	return ""
}

// TestSweepRulesBite: a change that should never be asked for is noticed.
func TestSweepRulesBite(t *testing.T) {
	own := map[string]map[string]bool{"production-checkout": {"1": true, "2": true}}
	alias := func(version string, weights map[string]any) wire.Call {
		return wire.Call{Service: "lambda", Operation: "UpdateAlias", Params: map[string]any{
			"functionName": "production-checkout", "functionVersion": version, "routingConfig": map[string]any{"additionalVersionWeights": weights}}}
	}
	call := func(operation, member, value string) wire.Call {
		return wire.Call{Operation: operation, Params: map[string]any{member: value}}
	}
	good := []wire.Call{alias("1", map[string]any{"2": 0.5}), alias("2", nil), call("UpdateFunctionCode", "functionName", "production-fulfil")}
	bad := []wire.Call{
		alias("3", nil), alias("$LATEST", nil), alias("1", map[string]any{"1": 0.5}), alias("1", map[string]any{"2": 1.5}), alias("1", map[string]any{"9": 0.5}),
		call("UpdateFunctionCode", "functionName", "production-other"), call("SetQueueAttributes", "queueUrl", "http://q/1/alices-own"),
		call("DeleteQueue", "queueUrl", "http://q/1/production-orders"), call("DeleteFunction", "functionName", "production-checkout"),
		call("DeleteEventSourceMapping", "uUID", "x"), call("RemovePermission", "statementId", "shop-api"),
	}
	for _, c := range good {
		if why := improper(c, "second release", own); why != "" {
			t.Errorf("%s %v is refused: %s", c.Operation, c.Params, why)
		}
	}
	for _, c := range bad {
		if improper(c, "second release", own) == "" {
			t.Errorf("%s %v went unnoticed", c.Operation, c.Params)
		}
	}
}
