package journaltest

import (
	"time"

	"mooring.dev/providers"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/reconciler/rollout/analysis"
	"mooring.dev/sources/manifest"
)

// Samples is one record of every kind, in an order that makes sense.
func Samples() []journal.Record {
	fn := manifest.Ref{Kind: manifest.KindFunction, Name: "checkout"}
	release := record.Release{Commit: "4f1c2d", Content: "sha256:c1", Overlay: "sha256:o1", Digest: "sha256:r1"}
	at := moment
	recs := []journal.Record{
		{Admission: &record.Admission{Release: release, Outcome: "allow", Update: "fast_forward", At: at,
			Findings: []record.Finding{{Code: "size", Msg: "grows"}}}},
		{Intent: &record.Intent{Ref: fn, Operation: "update", Cause: "commit", Release: release.Digest, Guard: "7", At: at}},
		{Outcome: &record.Outcome{Ref: fn, Operation: "update", RequestIDs: []string{"req-1", "req-2"}, At: at}},
		{Fact: &record.Fact{Ref: fn, Release: release.Digest, Fields: map[string]string{"memorySize": "512"}, Version: "7", At: at}},
		{Rollout: moving(release, fn)},
		{Hold: &record.Hold{ID: "h1", Scope: record.HoldScope{Ref: fn}, Owner: "local:ann", Kind: "manual", Reason: "incident", Since: at, Until: at.Add(time.Hour)}},
		{Lift: &journal.Lift{ID: "h1", By: "local:ann", Why: "over"}},
		{Approval: &record.Approval{Key: release.Key(), By: "ann", Verified: true, Findings: []string{"size"}, At: at}},
		{Quarantine: &record.Quarantine{Key: release.Key(), Reason: "verdict", At: at}},
		{Retry: &journal.Retry{Key: record.Key{Content: "sha256:c0"}, By: "ann"}},
		{Drift: &record.DriftItem{ID: "d1", Ref: fn, Path: "memorySize", Kind: record.Changed, Declared: "512", Live: "256", Since: at, Seen: 2,
			SeenAt: at, Actor: providers.Actor{Known: true, Name: "user/bob", At: at}, Severity: "high", Response: record.Revert}},
		{Resolved: &journal.Resolved{ID: "d0", How: "gone"}},
		{Named: &journal.Named{ID: "d0", Actor: providers.Actor{Known: true, Name: "user/bob", At: at}}},
		{Check: &record.CheckResult{Key: release.Key(), Name: "smoke", Passed: true, At: at}},
		{Soak: &journal.Soak{Release: release.Digest, Elapsed: 5 * time.Minute, Tick: at}},
		{Promotion: &record.Promotion{From: "staging", To: "production", Key: release.Key(), Outcome: "moved", Commit: "9a", At: at}},
		{Place: &record.Place{Pipeline: "shop", Naming: "${environment}-${name}", Environment: manifest.Environment{Name: "production", Branch: "env/production",
			Provider: manifest.ProviderTarget{AWS: &manifest.AWSTarget{Region: "eu-west-1", Account: "111111111111"}}}}},
		{Queued: &record.Queued{N: 1, From: "staging", To: "production", Key: release.Key(), Release: release, At: at,
			Upstream: []record.QueuedUpstream{{Environment: "staging", Soaked: time.Hour, Checks: []record.CheckResult{{Key: release.Key(), Name: "smoke", Passed: true, At: at}}}}}},
		{Adoption: &record.Adoption{Branch: "mooring/adopt/production", Commit: "9b", Onto: "9a", Items: []record.AdoptionItem{{Ref: fn, Path: "memorySize", Print: "0123"}},
			Outcome: record.AdoptionRefused, Number: 7, URL: "https://host.example/7", At: at}},
		{Request: &journal.Request{ID: "r1", Kind: "rollback", By: "ann", Reason: "errors", At: at}},
		{Decision: &journal.Decision{ID: "dec-1", Point: "admission", Outcome: "allow", Line: []byte(`{"a":1}`), Hash: "sha256:d"}},
		{Alert: &journal.Alert{ID: "a1", Fingerprint: "f1", Status: "firing", Kind: "drift", Severity: "high", Title: "drift", Text: "memorySize",
			Labels: map[string]string{"team": "payments"}, Receivers: []string{"oncall", "chat"}, At: at}},
		{Delivered: &journal.Delivered{ID: "a1", Receiver: "oncall"}},
		{Activation: &record.Activation{Revision: "9a", Before: "8b", Active: true, Author: "ann", Files: []string{"admission/a.rego"}, Replayed: 2,
			Flips: []record.Flip{{Decision: "dec-1", Environment: "production", Point: "admission", Before: "allow", After: "deny"}}, At: at}},
		{PolicyWord: &record.PolicyWord{Force: true, Approval: record.Approval{Key: record.Key{Content: "9a"}, By: "bob", Verified: true, Reason: "the guard was wrong", At: at}}},
		{Switch: &record.Switch{Alias: manifest.Ref{Kind: manifest.KindAlias, Name: "checkout.live"}, Version: "6", Group: "deadman", Release: release.Digest,
			State: record.SwitchArmed, Acts: at.Add(15 * time.Minute), Since: at, RequestIDs: []string{"req-3"}}},
		{Audit: &record.Audit{Request: "0123456789abcdef", At: at, Who: "ann", Proof: "token:0123", From: "10.0.0.7", Act: "rollback", Environment: "production",
			Reason: "errors", Outcome: record.AuditRefused, Code: "forbidden", Detail: "ann may not operate in production", More: 3}},
	}
	for i := range recs {
		recs[i].Environment, recs[i].At = "production", at
	}
	return recs
}

func moving(release record.Release, fn manifest.Ref) *rollout.State {
	return &rollout.State{Release: release, Phase: rollout.Shift, Cause: "commit", Stable: record.Release{Digest: "sha256:r0"},
		Functions: []rollout.Function{{Ref: fn, Alias: manifest.Ref{Kind: manifest.KindAlias, Name: "checkout.live"}, Stable: "6", New: "7",
			Checked: true, Evidence: analysis.Evidence{Test: analysis.Test{Canary: rollout.Counts{Calls: 100, Errors: 1}, LogE: -0.25}, Measured: moment}}},
		Stages: []manifest.Stage{{Weight: 10, Hold: manifest.Duration(5 * time.Minute)}, {Weight: 100}},
		Weight: 10, Reached: true, Since: moment, Elapsed: time.Minute, Tick: moment, Verdict: rollout.Undecided, Need: 50, Looks: 1,
		Next: &rollout.Start{Release: record.Release{Digest: "sha256:r2"}, Cause: "commit"}}
}
