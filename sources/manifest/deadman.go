package manifest

import "time"

// Deadman is the dead man's switch of an environment: before traffic moves,
// the platform is told to send it back by itself at a later time, which the
// daemon puts off for as long as it looks after the release.
type Deadman struct {
	Role  string   `json:"role" is:"required,match=deadmanRole,maxlen=2048" doc:"The role EventBridge Scheduler moves the alias back as: Role/NAME of the repository, or an ARN. It is trusted to scheduler.amazonaws.com and may do nothing but lambda:UpdateAlias (and states:UpdateStateMachineAlias) here."`
	After Duration `json:"after,omitempty" doc:"How long nobody looks after the release until traffic goes back, 5m to 24h. Default 15m."`
	Group string   `json:"group,omitempty" is:"match=schedules" doc:"The group the schedules stand in, which is there already. Default default."`
}

const (
	deadmanAfter    = 15 * time.Minute
	deadmanShortest = 5 * time.Minute // the Scheduler is exact to a minute
	deadmanLongest  = 24 * time.Hour
)

// Delay is how long nobody looks after a release until traffic goes back.
func (m *Deadman) Delay() time.Duration {
	if m.After == 0 {
		return deadmanAfter
	}
	return time.Duration(m.After)
}

func (m *Deadman) check(d *decoder, n *node) {
	if after := m.Delay(); after < deadmanShortest || after > deadmanLongest {
		d.fault(n.get("after").pos(), "after cannot be "+quote(after.String()), "want 5m to 24h")
	}
}

// refuseDeadman keeps a release from saying who looks after it.
func refuseDeadman(d *decoder, n *node, r *rolloutDoc) {
	if r != nil && r.Deadman != nil {
		d.fault(n.get("deadman").pos(), "deadman is for environments", "it stands in mooring.yaml, as environments[].rollout.deadman")
	}
}
