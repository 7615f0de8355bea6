package record

import (
	"time"

	"mooring.dev/sources/manifest"
)

// Switch is a dead man's switch as it was asked for at the platform.
type Switch struct {
	Alias manifest.Ref `json:"alias"`
	// Physical and Key name it at the platform, whatever is declared by then.
	Physical string      `json:"physical"`
	Key      string      `json:"key"`
	Version  string      `json:"version"`         // that it sends traffic back to
	Group    string      `json:"group,omitempty"` // that it is kept in
	Release  string      `json:"release"`         // the digest it guards against
	State    SwitchState `json:"state"`
	// Acts is when it acts, unless it is put off. It may stand at a later time:
	// what puts it off is noted once it is answered.
	Acts time.Time `json:"acts"`
	// Since is when it came into its state.
	Since      time.Time `json:"since"`
	RequestIDs []string  `json:"requestIds,omitempty"` // ours: to recognise our own writes
}

// SwitchState is what is known of a switch.
type SwitchState string

const (
	SwitchAsked SwitchState = "asked" // a call is under way, or was when the daemon ended
	SwitchArmed SwitchState = "armed"
	// SwitchLost: it is not there any more, and nobody here took it away. It
	// acted, or somebody else did.
	SwitchLost SwitchState = "lost"
	SwitchGone SwitchState = "gone" // taken away
)
