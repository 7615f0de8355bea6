package policy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Documents is an Evaluator that decides about inputs that are JSON already,
// as decision records hold them.
type Documents interface {
	EvaluateDocument(ctx context.Context, point Point, doc []byte) (Decision, error)
}

// Recorded is what a decision record says: what was asked, and what came of it.
type Recorded struct {
	ID          string
	Environment string
	Point       Point
	Input       []byte // the document; empty when it was not kept whole
	Lost        string // why Input is empty
	Result      Decision
}

// ParseRecorded reads a decision record's line.
func ParseRecorded(line []byte) (Recorded, error) {
	var r struct {
		ID     string            `json:"decision_id"`
		Labels map[string]string `json:"labels"`
		Path   string            `json:"path"`
		Input  json.RawMessage   `json:"input"`
		Result Decision          `json:"result"`
		Erased []string          `json:"erased"`
		Masked []string          `json:"masked"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return Recorded{}, fmt.Errorf("read decision record: %w", err)
	}
	point, ok := strings.CutPrefix(r.Path, "policy/")
	if !ok || r.ID == "" {
		return Recorded{}, errors.New("read decision record: it names no decision_id, or no path policy/POINT")
	}
	out := Recorded{ID: r.ID, Environment: r.Labels["environment"], Point: Point(point), Result: r.Result}
	switch lost := append(r.Erased, r.Masked...); {
	case len(lost) > 0:
		out.Lost = "of its input was erased or masked: " + some(lost)
	case len(r.Input) == 0, bytes.Equal(r.Input, []byte("null")):
		out.Lost = "its input was not kept"
	default:
		out.Input = r.Input
	}
	return out, nil
}

// some are the first few of many.
func some(paths []string) string {
	const few = 3
	if len(paths) <= few {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(paths[:few], ", "), len(paths)-few)
}

// Flip is a past decision that would be another.
type Flip struct {
	ID          string  `json:"decision_id"`
	Environment string  `json:"environment"`
	Point       Point   `json:"point"`
	Before      Outcome `json:"before"`
	After       Outcome `json:"after"`
	// Appear and Vanish are codes of findings, or what is done about a drift
	// item, an event, a rollout.
	Appear []string `json:"appear"`
	Vanish []string `json:"vanish"`
	// Broken: it could be evaluated before, and cannot be now. Error says why.
	Broken bool   `json:"broken,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Skipped is a record that cannot be decided again.
type Skipped struct {
	ID  string `json:"decision_id"`
	Why string `json:"why"`
}

// Replayed is what became of past decisions under other policies.
type Replayed struct {
	Decisions int       `json:"decisions"` // decided again
	Flips     []Flip    `json:"flips"`
	Skipped   []Skipped `json:"skipped"`
}

// Broken are the flips to what cannot be evaluated.
func (r Replayed) Broken() []Flip {
	return slices.DeleteFunc(slices.Clone(r.Flips), func(f Flip) bool { return !f.Broken })
}

// Replay decides about records again and compares. A record whose input was
// erased, or is of a form that is not read any more, is skipped and named. It
// ends early, with what it has, when ctx ends.
func Replay(ctx context.Context, e Documents, records iter.Seq[Recorded]) Replayed {
	out := Replayed{Flips: []Flip{}, Skipped: []Skipped{}}
	for r := range records {
		if ctx.Err() != nil {
			return out
		}
		if len(r.Input) == 0 {
			out.Skipped = append(out.Skipped, Skipped{ID: r.ID, Why: cmp.Or(r.Lost, "its input was not kept")})
			continue
		}
		d, err := e.EvaluateDocument(ctx, r.Point, r.Input)
		if errors.Is(err, ErrInput) {
			out.Skipped = append(out.Skipped, Skipped{ID: r.ID, Why: err.Error()})
			continue
		}
		out.Decisions++
		if f, flipped := compare(r, d); flipped {
			if f.Broken && err != nil {
				f.Error = err.Error()
			}
			out.Flips = append(out.Flips, f)
		}
	}
	return out
}

func compare(r Recorded, now Decision) (Flip, bool) {
	was, is := r.Result.effects(r.Point), now.effects(r.Point)
	f := Flip{
		ID: r.ID, Environment: r.Environment, Point: r.Point, Before: r.Result.Outcome, After: now.Outcome,
		Appear: without(is, was), Vanish: without(was, is), Broken: now.Outcome == Error && r.Result.Outcome != Error,
	}
	if r.Point == Admission || r.Point == Promotion || r.Point == Activation {
		return f, f.Before != f.After
	}
	return f, f.Before != f.After || len(f.Appear)+len(f.Vanish) > 0
}

// effects are what a decision comes to at its point, as sorted texts.
func (d Decision) effects(p Point) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch p {
	case Admission, Promotion, Activation:
		for _, f := range d.Findings {
			if f.Level != "warn" {
				out = append(out, f.Code)
			}
		}
	case Rollout:
		for _, f := range d.Abort {
			add("abort: %s", f.Code)
		}
		for _, f := range d.Pause {
			add("pause: %s", f.Code)
		}
		if d.Advance {
			add("advance")
		}
		if d.WeightCap > 0 {
			add("at most %d%%", d.WeightCap)
		}
	case Drift:
		for _, a := range d.Actions {
			add("%s %s", a.Do, a.Item)
		}
	case Notify:
		for _, r := range d.Routes {
			add("to %s", r.Receiver)
		}
		if d.Muted {
			add("muted")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func without(a, b []string) []string {
	return slices.DeleteFunc(append([]string{}, a...), func(s string) bool { return slices.Contains(b, s) })
}
