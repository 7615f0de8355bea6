package manifest

import (
	"cmp"
	"slices"
	"time"
)

// Probe is a call of the daemon's own, made of both versions side by side while
// traffic moves. Whoever declares it promises that the event changes nothing
// anybody sees.
type Probe struct {
	PerMinute int            `json:"perMinute,omitempty" is:"min=1,max=60" doc:"How often a minute both versions are called. Default 10."`
	Functions []string       `json:"functions,omitempty" is:"match=name,maxlen=64,maxitems=100" doc:"Which functions are called, by their names in the repository. Default: all that change."`
	Payload   any            `json:"payload,omitempty" doc:"The event. Answering it must change nothing: it is sent again and again."`
	Expect    map[string]any `json:"expect,omitempty" is:"keys=answerPath" doc:"What the answer must hold, by JSON path. Default: any answer that is no failure."`
	Timeout   Duration       `json:"timeout,omitempty" doc:"How long an answer may take, at most 1m; later is a failure. Default 10s."`
}

// check holds the members of a Probe against what is possible.
func (p *Probe) check(d *decoder, n *node) {
	if p.Timeout < 0 || p.Timeout > Duration(MaxCheck) {
		d.fault(n.get("timeout").pos(), "an answer cannot be waited for so long", "from 1s to "+MaxCheck.String())
	}
	for i, name := range p.Functions {
		if slices.Contains(p.Functions[:i], name) {
			d.fault(n.get("functions").pos(), "function "+quote(name)+" stands twice", "")
		}
	}
}

// settled fills in what was left out.
func (p Probe) settled() Probe {
	p.PerMinute = cmp.Or(p.PerMinute, 10)
	p.Timeout = cmp.Or(p.Timeout, Duration(10*time.Second))
	return p
}

// Of: this function is called.
func (p *Probe) Of(ref Ref) bool {
	return p != nil && ref.Kind == KindFunction && (len(p.Functions) == 0 || slices.Contains(p.Functions, ref.Name))
}
