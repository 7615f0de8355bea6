package reconciler

import (
	"errors"
	"maps"
	"testing"
	"time"

	"mooring.dev/providers/memory"
	"mooring.dev/sources/manifest"
)

const alarmYAML = `apiVersion: mooring.dev/v1
kind: Alarm
metadata: {name: errors}
spec:
  namespace: AWS/Lambda
  metricName: Errors
  statistic: Sum
  period: 60
  evaluationPeriods: 1
  comparisonOperator: GreaterThanThreshold
  threshold: 10
`

const whileAlarms = `package policy.rollout.alarms
pause contains {"code": "alarm", "msg": "not while alarms fire"} if {
	some a in input.alarms
	a.state != "ok"
}
`

// TestAlarmsPauseARollout: what the release's alarms say is told to policy at
// each look, and what cannot be read is unknown, not silent.
func TestAlarmsPauseARollout(t *testing.T) {
	s := newSimulation(1, memory.Options{}, mutant{}, "staging")
	s.govern(map[string]string{"policies/rollout/alarms.rego": whileAlarms})
	declare := func(k content) {
		files := maps.Clone(k.files())
		files["alarm.yaml"] = alarmYAML
		s.repo.commit("env/staging", files)
	}
	s.platform.SetAlarm("staging-errors", "ok")
	declare(firstContent())
	s.restartRego(t)
	settled(t, s)
	first := s.watch.environment("staging").Rollout.Release

	k := firstContent()
	k.checkout = code(2)
	s.platform.SetAlarm("staging-errors", "alarm")
	declare(k)
	moved := func() bool { r := s.watch.environment("staging").Rollout; return r.Weight > 0 && r.Release != first }
	if s.until(2*time.Minute, moved) {
		t.Fatalf("traffic moved while an alarm fired: %+v", s.watch.environment("staging").Rollout)
	}
	blind := true
	s.inject = func(op string, _ manifest.Ref) error {
		if blind && op == "alarm" {
			return errors.New("no answer")
		}
		return nil
	}
	s.platform.SetAlarm("staging-errors", "ok")
	if s.until(time.Minute, moved) {
		t.Fatal("traffic moved although nobody knows what the alarm says")
	}
	blind = false
	if !s.until(10*time.Minute, moved) {
		t.Fatalf("it stays paused: %+v", s.watch.environment("staging").Rollout)
	}
	settled(t, s)
	sound(t, s)
}
