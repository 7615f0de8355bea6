package journal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
)

// tell adds to the history what people want to read of a record. It is called
// before the record is applied, so that it can say what changed.
func (e *Environment) tell(r Record) {
	kind, ref, text := e.line(r)
	if text == "" {
		return
	}
	event := Event{Seq: r.Seq, At: r.At, Kind: kind, Text: text, Ref: ref, Release: releaseOf(r)}
	// What repeats (a call that fails each minute) is one line that moves.
	const back = 32
	recent := max(0, len(e.History)-back)
	same := slices.IndexFunc(e.History[recent:], func(o Event) bool {
		return o.Kind == kind && o.Ref == ref && o.Text == text
	})
	if same >= 0 {
		e.History = slices.Delete(e.History, recent+same, recent+same+1)
	}
	e.History = newest(append(e.History, event), keepHistory)
}

// releaseOf is the release that a record let in or brought into force.
func releaseOf(r Record) string {
	switch {
	case r.Admission != nil && r.Admission.Outcome == "allow":
		return r.Admission.Release.Digest
	case r.Rollout != nil && r.Rollout.Phase == rollout.Idle:
		return r.Rollout.Release.Digest
	}
	return ""
}

func (e *Environment) line(r Record) (kind, ref, text string) {
	switch {
	case r.Admission != nil:
		return "admission", "", admissionLine(*r.Admission)
	case r.Outcome != nil:
		return "step", r.Outcome.Ref.String(), e.outcomeLine(*r.Outcome)
	case r.Rollout != nil:
		return "rollout", "", rolloutLine(e.Rollout, *r.Rollout)
	case r.Hold != nil:
		return "hold", r.Hold.Scope.Ref.String(), e.holdLine(*r.Hold)
	case r.Lift != nil:
		return "hold", "", said("hold "+r.Lift.ID+" lifted by "+r.Lift.By, r.Lift.Why)
	case r.Approval != nil:
		return "approval", "", approvalLine(*r.Approval)
	case r.Quarantine != nil:
		return "quarantine", "", said(short(r.Quarantine.Key.Content)+" is not tried again", r.Quarantine.Reason)
	case r.Retry != nil:
		return "quarantine", "", said(fmt.Sprintf("%s may be tried again, says %s", short(r.Retry.Key.Content), r.Retry.By), r.Retry.Reason)
	case r.Drift != nil:
		return "drift", r.Drift.Ref.String(), e.driftLine(*r.Drift)
	case r.Resolved != nil:
		return "drift", e.Drift[r.Resolved.ID].Ref.String(), e.resolvedLine(*r.Resolved)
	case r.Named != nil:
		return "drift", e.Unnamed[r.Named.ID].Ref.String(), e.namedLine(*r.Named)
	case r.Check != nil:
		return "check", "", e.checkLine(*r.Check)
	case r.Promotion != nil:
		return "promotion", "", promotionLine(*r.Promotion)
	case r.Request != nil:
		return "request", "", requestLine(*r.Request)
	case r.Queued != nil:
		return "promotion", "", queuedLine(*r.Queued)
	case r.Adoption != nil:
		return "drift", "", adoptionLine(*r.Adoption)
	case r.Switch != nil:
		return "deadman", r.Switch.Alias.String(), e.switchLine(*r.Switch)
	case r.Alert != nil:
		return "alert", r.Alert.Resource, r.Alert.Status + ": " + r.Alert.Title
	case r.Delivered != nil && r.Delivered.Dead:
		return "alert", "", said("alert "+r.Delivered.ID+" refused for good by "+r.Delivered.Receiver, r.Delivered.Error)
	}
	return "", "", ""
}

func admissionLine(a record.Admission) string {
	text := commit(a.Release) + " "
	switch a.Outcome {
	case "allow":
		text += "admitted"
	case "hold":
		text += "held"
	case "deny":
		text += "denied"
	default:
		text += "not admitted (" + a.Outcome + ")"
	}
	if a.Update != "" {
		text += ", " + strings.ReplaceAll(a.Update, "_", " ")
	}
	return said(text, a.Reason)
}

func (e *Environment) outcomeLine(o record.Outcome) string {
	text := o.Operation + " " + o.Ref.String()
	if cause := e.Intents[o.Ref].Cause; cause != "" {
		text += " (" + cause + ")"
	}
	if o.Kind == "" {
		return text
	}
	return said(text+" failed, "+o.Kind, o.Error)
}

// rolloutLine tells the one thing that changed most.
func rolloutLine(was, is rollout.State) string {
	switch {
	case is.Phase == rollout.Idle && was.Phase == rollout.Idle && is.Release == was.Release:
		return ""
	case is.Phase == rollout.Idle && is.Returned != "":
		return said("back at "+commit(is.Release), is.Reason)
	case is.Phase == rollout.Idle && is.Release.Digest != "":
		return commit(is.Release) + " is in force"
	case is.Phase == rollout.Back && was.Phase != rollout.Back:
		return said("returning to "+commit(is.Stable), is.Reason)
	case is.Failed && !was.Failed:
		return said(commit(is.Release)+" stopped", is.Reason)
	case is.Release != was.Release:
		return said(commit(is.Release)+" begins", is.Cause)
	case is.Paused != "" && is.Paused != was.Paused:
		return "paused: " + is.Paused
	case len(is.Left) > len(was.Left):
		l := is.Left[len(is.Left)-1]
		return fmt.Sprintf("%s: stage %d of %d at %d%% is left after %s, %s: %s", commit(is.Release), len(is.Left), len(is.Stages), l.Weight,
			l.Held.Round(time.Second), cmp.Or(l.Verdict, "unjudged"), seen("calls", l.Canary, l.Baseline)+probed(l))
	case is.Phase == rollout.Shift && (is.Weight != was.Weight || was.Phase != rollout.Shift):
		return fmt.Sprintf("%s: %d%% of traffic wanted, stage %d of %d", commit(is.Release), is.Weight, is.Stage+1, len(is.Stages))
	case is.Phase == rollout.Shift && is.Reached && !was.Reached:
		return fmt.Sprintf("%s: %d%% of traffic in place", commit(is.Release), is.Weight)
	case is.Phase != was.Phase:
		return fmt.Sprintf("%s: %s", commit(is.Release), is.Phase)
	}
	return ""
}

// seen is what was measured of a release, all functions together.
func seen(what string, canary, baseline rollout.Counts) string {
	text := fmt.Sprintf("%d of %d %s failed", canary.Errors, canary.Calls, what)
	if baseline.Calls > 0 {
		text += fmt.Sprintf(", beside it %d of %d", baseline.Errors, baseline.Calls)
	}
	return text
}

// probed is what calls of our own found, where some were made.
func probed(l rollout.Left) string {
	if l.ProbedCanary.Calls == 0 {
		return ""
	}
	return "; " + seen("probes", l.ProbedCanary, l.ProbedBaseline)
}

// switchLine speaks of a switch that is new or lost; that it is put off is no
// news.
func (e *Environment) switchLine(s record.Switch) string {
	was := e.Switches[s.Alias]
	switch {
	case s.State == record.SwitchArmed && was.State != record.SwitchArmed:
		return "armed: traffic goes back to version " + s.Version + " by itself once nobody looks after the release"
	case s.State == record.SwitchLost && was.State != record.SwitchLost:
		return "is not there any more: it took traffic back, or somebody removed it"
	}
	return ""
}

func (e *Environment) holdLine(h record.Hold) string {
	if old, known := e.Holds[h.ID]; known && old.Reason == h.Reason && old.Until.Equal(h.Until) {
		return ""
	}
	text := "held by " + h.Owner
	if !h.Until.IsZero() {
		text += " until " + h.Until.UTC().Format("2006-01-02 15:04 MST")
	}
	return said(text, h.Reason)
}

// driftLine speaks when a difference is confirmed, when who made it becomes
// known, and when the response changes.
func (e *Environment) driftLine(d record.DriftItem) string {
	was := e.Drift[d.ID]
	if !d.Confirmed() || was.Confirmed() && was.Response == d.Response && was.Actor.Name == d.Actor.Name {
		return ""
	}
	text := strings.TrimSpace(d.Path + " " + string(d.Kind))
	if d.Actor.Name != "" {
		text += " by " + d.Actor.Name
	}
	if d.Response != "" {
		text += ": " + string(d.Response)
	}
	return said(text, d.Reason)
}

func (e *Environment) resolvedLine(r Resolved) string {
	d, known := e.Drift[r.ID]
	if !known || !d.Confirmed() {
		return ""
	}
	return strings.TrimSpace(d.Path+" "+string(d.Kind)) + ": " + r.How
}

func (e *Environment) namedLine(r Named) string {
	d, known := e.Unnamed[r.ID]
	if !known || !r.Actor.Known {
		return ""
	}
	return strings.TrimSpace(d.Path+" "+string(d.Kind)) + " was by " + r.Actor.Name
}

func (e *Environment) checkLine(c record.CheckResult) string {
	if old, known := e.Checks[c.Key][c.Name]; known && old.Passed == c.Passed {
		return ""
	}
	if c.Passed {
		return "check " + c.Name + " passed"
	}
	return said("check "+c.Name+" failed", c.Detail)
}

func promotionLine(p record.Promotion) string {
	text := said(fmt.Sprintf("%s from %s to %s: %s", short(p.Key.Content), p.From, p.To, p.Outcome), p.Reason)
	if p.Outcome != "moved" || len(p.Evidence) == 0 {
		return text
	}
	return text + ", on evidence of " + statementNames(p.Evidence)
}

func queuedLine(q record.Queued) string {
	text := fmt.Sprintf("%s from %s waits in turn", short(q.Key.Content), q.From)
	switch q.Outcome {
	case "":
		return text
	case "moved":
		return "" // the move says so
	}
	return said(fmt.Sprintf("%s from %s is out of the queue, %s", short(q.Key.Content), q.From, q.Outcome), q.Reason)
}

func adoptionLine(a record.Adoption) string {
	what := fmt.Sprintf("%d differences", len(a.Items))
	if len(a.Items) == 1 {
		what = strings.TrimSpace(a.Items[0].Ref.String() + " " + a.Items[0].Path)
	}
	where := " from branch " + a.Branch
	if a.Number > 0 {
		where = fmt.Sprintf(" by pull request %d", a.Number)
	}
	switch a.Outcome {
	case record.AdoptionRefused:
		return "people refused to declare " + what + ", offered" + where
	case record.AdoptionOver:
		return "nothing is left to declare of what was offered" + where
	}
	return "offered to declare " + what + where
}

// statementNames are the first of some statements, as people find them again.
func statementNames(all []string) string {
	const told = 3
	var names []string
	for _, one := range all[:min(len(all), told)] {
		whose, digest, _ := strings.Cut(one, " ")
		names = append(names, whose+" "+short(digest))
	}
	text := strings.Join(names, ", ")
	if more := len(all) - told; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func requestLine(r Request) string {
	if r.Done {
		return said(r.Kind+" asked by "+r.By+" is done", r.Result)
	}
	return said(r.Kind+" asked by "+r.By, r.Reason)
}

// said adds a reason, when there is one.
func said(text, why string) string {
	if why == "" {
		return text
	}
	return text + ": " + why
}

// commit is how people know a release.
func commit(r record.Release) string {
	if r.Commit == "" {
		return short(r.Digest)
	}
	return short(r.Commit)
}

// short is the first 12 hex digits of a digest or commit.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}

func approvalLine(a record.Approval) string {
	switch a.Answer {
	case record.Rejected:
		return said(short(a.Key.Content)+" rejected by "+a.By, a.Reason)
	case record.Withdrawn:
		return said("what "+a.By+" said of "+short(a.Key.Content)+" is withdrawn", a.Reason)
	}
	return said(short(a.Key.Content)+" approved by "+a.By, a.Reason)
}
