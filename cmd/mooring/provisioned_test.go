package main

import (
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox/lambda"
	"mooring.dev/reconciler/web"
)

// TestProvisionedBeforeTraffic: while AWS prepares the concurrency of the new
// version no traffic moves; once it stands the release goes on, and where it
// fails the release goes back, saying why.
func TestProvisionedBeforeTraffic(t *testing.T) {
	t.Parallel()
	b, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	s := newKillStage(t)
	s.amend("shop/functions/checkout.yaml", "  provisionedConcurrentExecutions: 2")
	s.push("kept ready")
	s.begin()
	s.await(s.head())

	began := time.Now()
	s.box.Outside.Room("preview-checkout", lambda.Scarce{Waits: true})
	s.point(b, "checkout", "1.1")
	commit := s.push("checkout 1.1")
	s.until("preparing", func(web.EnvironmentStatus) bool { return s.counted("PutProvisionedConcurrencyConfig", began) == 1 })
	prepared := time.Now()
	e := s.until("looked at", func(web.EnvironmentStatus) bool { return s.counted("ListProvisionedConcurrencyConfigs", prepared) >= 5 })
	if n := len(s.moves("UpdateAlias", began)); n != 0 || e.Rollout.Phase != "expand" {
		t.Errorf("%d moves of traffic in %q while the concurrency is prepared", n, e.Rollout.Phase)
	}
	s.box.Outside.Room("preview-checkout", lambda.Scarce{})
	s.await(commit)
	if n := len(s.moves("UpdateAlias", began)); n == 0 {
		t.Error("no traffic moved")
	}

	began = time.Now()
	s.box.Outside.Room("preview-checkout", lambda.Scarce{Fails: "the account has no more room"})
	s.amend("shop/functions/checkout.yaml", "  description: again")
	s.push("again")
	e = s.until("back", func(e web.EnvironmentStatus) bool {
		return e.Commit == commit && e.Rollout.Phase == "" && strings.Contains(e.Reason+e.Rollout.Reason, "room")
	})
	if n := len(s.moves("UpdateAlias", began)); n != 0 {
		t.Errorf("%d moves of traffic to a version without its concurrency", n)
	}
	if !strings.Contains(e.Rollout.Reason, "concurrency of version 3: the account has no more room") {
		t.Errorf("went back for %q", e.Rollout.Reason)
	}
	if left := s.counted("DeleteProvisionedConcurrencyConfig", began); left != 1 {
		t.Errorf("%d configurations taken away", left)
	}
}
