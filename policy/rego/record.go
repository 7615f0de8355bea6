package rego

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/version"

	"mooring.dev/policy"
)

// decisionRecord is a decision as one JSON line, with the field names of OPA's
// decision log where it has them. Sensitive values were tokens before they came
// here; what else is not to be kept policy.Masks takes out afterwards.
// Everything but metrics and the packages' times is the same for the same input
// and bundle. Whoever keeps the journal adds "prev", the hash of the record
// before.
type decisionRecord struct {
	DecisionID   string                  `json:"decision_id"`
	Timestamp    string                  `json:"timestamp"`
	Labels       map[string]string       `json:"labels"`
	Path         string                  `json:"path"`
	Bundles      map[string]bundleRecord `json:"bundles"`
	Input        *struct{}               `json:"input"` // null here; the document is put in its place
	InputDigest  string                  `json:"input_digest"`
	Result       policy.Decision         `json:"result"`
	Outcome      policy.Outcome          `json:"outcome"`
	Packages     []packageRecord         `json:"packages"`
	Metrics      map[string]int64        `json:"metrics"`
	Erased       []string                `json:"erased"`
	Masked       []string                `json:"masked"`
	RuleLabels   []map[string]any        `json:"rule_labels,omitempty"` // of rules that were true; each set once
	Engine       string                  `json:"engine"`
	Capabilities string                  `json:"capabilities_digest"`
}

type bundleRecord struct {
	Revision string `json:"revision"`
}

// packageRecord is one package's own answer.
type packageRecord struct {
	Name        string           `json:"name"`
	Enforcement string           `json:"enforcement"`
	EffectiveOn string           `json:"effective_on,omitempty"` // mandatory from then on
	Error       string           `json:"error,omitempty"`
	EvalNS      int64            `json:"eval_ns"`
	Allow       bool             `json:"allow,omitempty"`
	Deny        []policy.Finding `json:"deny,omitempty"`
	Require     []policy.Finding `json:"require,omitempty"`
	Warn        []policy.Finding `json:"warn,omitempty"`
	Abort       []policy.Finding `json:"abort,omitempty"`
	Pause       []policy.Finding `json:"pause,omitempty"`
	Advance     bool             `json:"advance,omitempty"`
	Weight      int              `json:"weight,omitempty"`
	Actions     []policy.Action  `json:"actions,omitempty"`
	Routes      []policy.Route   `json:"routes,omitempty"`
	Mutes       []policy.Finding `json:"mutes,omitempty"`
	Flags       []string         `json:"flags,omitempty"`
	RuleLabels  []map[string]any `json:"rule_labels,omitempty"`
	Print       []string         `json:"print,omitempty"` // file:line: text, up to a bound
}

func record(d policy.Decision, f facts, doc []byte, answers []answer, took time.Duration, capabilitiesDigest string) []byte {
	r := decisionRecord{
		DecisionID:   d.ID,
		Timestamp:    time.Unix(0, f.Request.TimeNS).UTC().Format(time.RFC3339Nano),
		Labels:       map[string]string{"app": "mooring", "environment": f.Environment.Name},
		Path:         "policy/" + string(d.Point),
		Bundles:      map[string]bundleRecord{"policies": {Revision: d.Revision}},
		InputDigest:  digest(doc),
		Result:       d,
		Outcome:      d.Outcome,
		Packages:     []packageRecord{},
		Metrics:      map[string]int64{"timer_rego_query_eval_ns": 0, "timer_decision_ns": int64(took)},
		Erased:       []string{},
		Masked:       []string{},
		Engine:       "opa " + version.Version,
		Capabilities: capabilitiesDigest,
	}
	for _, a := range answers {
		r.Packages = append(r.Packages, a.record())
		r.Metrics["timer_rego_query_eval_ns"] += int64(a.took)
		r.RuleLabels = joined(r.RuleLabels, a.labels)
	}
	return withInput(must(json.Marshal(r)), doc)
}

// noInput is where the document belongs. Nothing before it can look like it:
// in a JSON text, quotes within strings are escaped.
var noInput = []byte(`"input":null`)

// withInput puts the document, which is compact JSON already, into a record:
// it may be large, and need not be read once more for it.
func withInput(line, doc []byte) []byte {
	at := bytes.Index(line, noInput)
	if len(doc) == 0 || at < 0 {
		return line
	}
	at += len(noInput) - len("null")
	out := make([]byte, 0, len(line)+len(doc))
	out = append(out, line[:at]...)
	out = append(out, doc...)
	return append(out, line[at+len("null"):]...)
}

// joined adds label sets that are not there yet.
func joined(all, more []map[string]any) []map[string]any {
	for _, set := range more {
		if !slices.ContainsFunc(all, func(o map[string]any) bool { return reflect.DeepEqual(o, set) }) {
			all = append(all, set)
		}
	}
	return all
}

func (a answer) record() packageRecord {
	r := packageRecord{
		Name: a.pkg, Enforcement: a.enforcement, EvalNS: int64(a.took),
		Allow: a.allow, Deny: a.deny, Warn: a.warn, Abort: a.abort, Pause: a.pause,
		Advance: a.advance, Weight: a.weight, Actions: a.actions, Routes: a.routes, Flags: a.flags,
		RuleLabels: a.labels, Print: a.printed,
	}
	for _, m := range a.mutes {
		r.Mutes = append(r.Mutes, m.Finding)
	}
	if !a.from.IsZero() {
		r.EffectiveOn = a.from.Format(time.RFC3339)
	}
	if a.err != nil {
		r.Error = a.err.Error()
	}
	for _, q := range a.require {
		r.Require = append(r.Require, q.Finding)
	}
	return r
}
