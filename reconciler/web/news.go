package web

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	"mooring.dev/reconciler/access"
)

// newsroom reads what is new once for all who listen: a thousand of them must
// not make a change cost a thousand readings.
type newsroom struct {
	view View

	mu   sync.Mutex
	of   <-chan struct{} // the change that newest was read for
	last edition
}

// edition is what there was to see after a change. It is shared by all who
// listen, and never changed.
type edition struct {
	number  uint64
	history []Event // newest first
	status  Status
	// changed is in which edition each environment last was another; "" stands
	// for what is of none.
	changed map[string]uint64
}

// after is the edition of a moment after next was made: next is closed at the
// change that follows.
func (n *newsroom) after(next <-chan struct{}) edition {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == next && n.last.number > 0 {
		return n.last
	}
	n.of, n.last = next, n.last.then(n.view.Status(), n.view.History("", 0))
	return n.last
}

// then is the edition after this one.
func (e edition) then(status Status, history []Event) edition {
	next := edition{number: e.number + 1, history: history, status: status, changed: maps.Clone(e.changed)}
	if next.changed == nil {
		next.changed = map[string]uint64{}
	}
	told := false
	for name := range differing(e, next) {
		next.changed[name], told = next.number, true
	}
	if !told { // something changed all the same, and is not known to be of one environment
		next.changed[""] = next.number
	}
	return next
}

// differing are the environments that two editions show otherwise, and "" where
// they differ in what is of none.
func differing(a, b edition) map[string]bool {
	out := map[string]bool{}
	if !reflect.DeepEqual(a.status.around(), b.status.around()) {
		out[""] = true
	}
	before := map[string]EnvironmentStatus{}
	for _, e := range a.status.Environments {
		before[e.Name] = e
	}
	for _, e := range b.status.Environments {
		if !reflect.DeepEqual(before[e.Name].ageless(), e.ageless()) {
			out[e.Name] = true
		}
	}
	was, is := newest(a.history), newest(b.history)
	for name, at := range is {
		if was[name] != at {
			out[name] = true
		}
	}
	return out
}

// around is what of a status is about no environment, and no gauge.
func (s Status) around() (out struct {
	Pipeline          string
	Control           ControlStatus
	Names, Faults, To []string
}) {
	out.Pipeline, out.Control, out.Faults, out.To = s.Pipeline, s.Control, s.Faults, s.Receivers
	for _, e := range s.Environments {
		out.Names = append(out.Names, e.Name)
	}
	return out
}

// ageless is a status without what changes by time alone.
func (e EnvironmentStatus) ageless() EnvironmentStatus {
	e.OldestSeconds, e.SoakSeconds = 0, 0
	return e
}

// newest is the newest line of each environment.
func newest(history []Event) map[string]uint64 {
	out := map[string]uint64{}
	for _, e := range history {
		out[e.Environment] = max(out[e.Environment], e.place())
	}
	return out
}

// since says which environments that somebody may see changed after an edition;
// all: something did that is of none.
func (e edition) since(number uint64, who access.Person) (names []string, all bool) {
	for name, at := range e.changed {
		switch {
		case at <= number:
		case name == "":
			all = true
		case who.May(access.See, name):
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, all
}

// lines of the history after a cursor that somebody may see, oldest first, of
// the newest so many; of all with 0.
func (e edition) lines(read Cursor, who access.Person, newest int) []Event {
	history := e.history
	if newest > 0 {
		history = history[:min(newest, len(history))]
	}
	return slices.DeleteFunc(read.New(history), func(e Event) bool { return e.Environment != "" && !who.May(access.See, e.Environment) })
}
