package manifest

import (
	"time"

	"mooring.dev/sources/window"
)

// Windows are when an environment takes content. The zero value is no limit.
type Windows struct {
	Allow []Window `json:"allow,omitempty" is:"maxitems=50" doc:"Content comes in only while one of these is open. Default: always."`
	Deny  []Window `json:"deny,omitempty" is:"maxitems=50" doc:"Content does not come in while one of these is open, whatever allow says."`
}

// Window is hours of days, or starts by cron that last a while.
type Window struct {
	Days     []string `json:"days,omitempty" is:"enum=Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday,maxitems=7" doc:"The days it opens on. Default every day."`
	From     string   `json:"from,omitempty" is:"maxlen=5" doc:"When it opens, as 09:00. Default 00:00."`
	To       string   `json:"to,omitempty" is:"maxlen=5" doc:"When it closes, as 17:00 or 24:00; before from, on the day after. Default 24:00."`
	Cron     string   `json:"cron,omitempty" is:"maxlen=128" doc:"When it opens: minute, hour, day of month, month, day of week."`
	Duration Duration `json:"duration,omitempty" doc:"How long it stays open from each start by cron, 1m to 744h."`
	Zone     string   `json:"zone,omitempty" is:"maxlen=64" doc:"The time zone of its clock, as Europe/Amsterdam. Default UTC."`
}

func (w Window) spec() window.Spec {
	return window.Spec{Days: w.Days, From: w.From, To: w.To, Cron: w.Cron, Duration: time.Duration(w.Duration), Zone: w.Zone}
}

func (w *Window) check(d *decoder, n *node) {
	if _, err := window.Parse(w.spec()); err != nil {
		d.fault(n.pos(), err.Error(), "as {days: [Monday, Friday], from: \"09:00\", to: \"17:00\", zone: Europe/Amsterdam} or {cron: \"0 12 24 12 *\", duration: 72h}")
	}
}

// Set is the windows as they are asked. What cannot be read never allows and
// always denies; LoadPipeline lets no such window in.
func (w Windows) Set() window.Set {
	var set window.Set
	for _, allow := range w.Allow {
		read, err := window.Parse(allow.spec())
		if err != nil {
			read = window.Window{}
		}
		set.Allow = append(set.Allow, read)
	}
	for _, deny := range w.Deny {
		read, err := window.Parse(deny.spec())
		if err != nil {
			return window.Set{Allow: []window.Window{{}}}
		}
		set.Deny = append(set.Deny, read)
	}
	return set
}
