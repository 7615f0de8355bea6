package reconciler

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"mooring.dev/policy"
	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/reconciler/measure"
	"mooring.dev/reconciler/notify"
	"mooring.dev/reconciler/record"
	"mooring.dev/reconciler/rollout"
	"mooring.dev/sources/manifest"
)

var (
	errEmptyKey  = errors.New("it is empty")
	errNoVerdict = errors.New("the answer has no verdict")
)

// measured is when measures were asked last, and about what.
type measured struct {
	about string
	at    time.Time
}

// measures asks what a rollout is judged by beside its calls: before the first
// traffic, so that what is red already is known, and then as often as calls are
// looked at.
func (p *pass) measures(ctx context.Context) []rollout.Measured {
	ro := p.st.Rollout
	declared := ro.Analysis.Metrics
	switch ro.Phase {
	case rollout.Idle, rollout.Back:
		return nil
	}
	if len(declared)+len(ro.Analysis.Alarms) == 0 {
		return nil
	}
	about := fmt.Sprint(ro.Release.Digest, ro.Phase, ro.Stage)
	if last := p.e.measured; last.about == about && p.now.Before(last.at.Add(p.lookEvery(ro))) && !p.now.Before(last.at) {
		return nil
	}
	pressed, stop := p.e.pressed(ctx)
	defer stop()
	out := make([]rollout.Measured, len(declared))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, m := range declared {
		g.Go(func() error {
			timed, cancel := context.WithTimeout(pressed, measure.Timeout)
			defer cancel()
			out[i] = p.askMeasure(timed, m)
			return nil
		})
	}
	_ = g.Wait() // each has its answer
	if pressed.Err() != nil {
		return nil // broken off because there is something new: nothing was said
	}
	p.e.measured = measured{about, p.now}
	return append(out, p.alarmed(ctx, ro.Analysis.Alarms)...)
}

// askMeasure puts one question; no answer is undecided.
func (p *pass) askMeasure(ctx context.Context, m manifest.Measure) rollout.Measured {
	out := rollout.Measured{Name: m.Name, DryRun: m.DryRun, Verdict: rollout.Undecided}
	var err error
	switch {
	case m.Prometheus != nil:
		err = p.e.d.askValue(ctx, *m.Prometheus, &out)
	case m.Webhook != nil:
		err = p.askWebhook(ctx, m, &out)
	}
	if err != nil {
		out.Verdict, out.Detail = rollout.Undecided, err.Error()
		p.e.log.Debug("metric gave no answer", zap.String("metric", m.Name), zap.Error(err))
	}
	return out
}

func (d *Daemon) askValue(ctx context.Context, c manifest.PrometheusCheck, out *rollout.Measured) error {
	_, header, err := d.outwards(manifest.Secret{}, c.Headers)
	if err != nil {
		return err
	}
	v, err := measure.Prometheus{Client: d.opts.Ask, Address: c.Address, Header: header}.Query(ctx, c.Query, d.opts.Now())
	if err != nil {
		return err
	}
	passed, detail, err := heldTo(c, v)
	if err != nil {
		return err
	}
	out.Verdict, out.Detail, out.Value = rollout.Pass, detail, finite(v)
	if !passed {
		out.Verdict = rollout.Fail
	}
	return nil
}

// heldTo holds a query's value against its bounds. One without end is beyond a bound
// as every other; within them it is something divided by nothing, a rate of no
// calls, and no data.
func heldTo(c manifest.PrometheusCheck, v float64) (passed bool, detail string, err error) {
	switch {
	case !c.Within(v):
		return false, fmt.Sprintf("the query gives %g, want %s", v, bounds(c)), nil
	case math.IsInf(v, 0):
		return false, "", fmt.Errorf("the query gives %g: %w", v, measure.ErrNoData)
	}
	return true, fmt.Sprintf("%g", v), nil
}

// finite is a value that JSON has a number for.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// The question a webhook is put, and its answer. Fields are only added.
type (
	webhookQuestion struct {
		Metric      string            `json:"metric"`
		Environment string            `json:"environment"`
		Release     record.Release    `json:"release"`
		Phase       string            `json:"phase"`
		Weight      int               `json:"weight"` // percent on the new versions
		Stage       int               `json:"stage"`  // from 1; 0 before the first
		Functions   []webhookFunction `json:"functions"`
	}
	webhookFunction struct {
		Resource string `json:"resource"`
		Stable   string `json:"stable"`
		New      string `json:"new"`
	}
	webhookAnswer struct {
		Verdict string   `json:"verdict"` // pass | fail | undecided
		Reason  string   `json:"reason"`
		Value   *float64 `json:"value"`
	}
)

// askWebhook posts the question, signed where a key is given.
func (p *pass) askWebhook(ctx context.Context, m manifest.Measure, out *rollout.Measured) error {
	address, header, err := p.e.d.outwards(m.Webhook.URL, nil)
	if err != nil {
		return err
	}
	body, err := json.Marshal(p.webhookQuestion(m.Name))
	if err != nil {
		return fmt.Errorf("write the question: %w", err)
	}
	header.Set("Content-Type", "application/json")
	if m.Webhook.Secret != nil {
		key, err := p.e.d.opts.Secret(*m.Webhook.Secret)
		if err != nil || key == "" {
			return fmt.Errorf("read the key of the signature: %w", cmp.Or(err, errEmptyKey))
		}
		header.Set("X-Mooring-Signature", notify.Sign([]byte(key), body))
	}
	answer, err := p.e.d.opts.Ask.Ask(ctx, measure.Request{URL: address, Method: http.MethodPost, Header: header, Body: body})
	if err != nil {
		return err
	}
	var said webhookAnswer
	if answer.Status < 200 || answer.Status > 299 {
		return fmt.Errorf("answered %d", answer.Status)
	}
	if err := json.Unmarshal(answer.Body, &said); err != nil {
		return errNoVerdict
	}
	switch rollout.Verdict(said.Verdict) {
	case rollout.Pass, rollout.Fail, rollout.Undecided:
	default:
		return errNoVerdict
	}
	out.Verdict, out.Detail = rollout.Verdict(said.Verdict), cmp.Or(oneLine(said.Reason), "it says "+said.Verdict)
	if said.Value != nil {
		out.Value = finite(*said.Value)
	}
	return nil
}

func (p *pass) webhookQuestion(metric string) webhookQuestion {
	ro := p.st.Rollout
	q := webhookQuestion{Metric: metric, Environment: p.e.name, Release: ro.Release, Phase: string(ro.Phase), Weight: ro.Weight}
	if ro.Phase == rollout.Shift {
		q.Stage = ro.Stage + 1
	}
	for _, f := range ro.Functions {
		q.Functions = append(q.Functions, webhookFunction{Resource: f.Ref.String(), Stable: f.Stable, New: f.New})
	}
	return q
}

// oneLine is a stranger's text, short and printable.
func oneLine(text string) string {
	const most = 200
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	runes := []rune(text)
	return string(runes[:min(len(runes), most)])
}

// alarmed is what the alarms say that take the release back.
func (p *pass) alarmed(ctx context.Context, names []string) []rollout.Measured {
	var out []rollout.Measured
	for _, name := range names {
		m := rollout.Measured{Name: name, Alarm: true, Verdict: rollout.Undecided, Detail: "it has no data"}
		short := strings.TrimPrefix(name, manifest.KindAlarm+"/")
		state := "unknown"
		for _, a := range p.alarms(ctx) {
			if a.Name == short {
				state = a.State
			}
		}
		switch state {
		case "ok":
			m.Verdict, m.Detail = rollout.Pass, "it is ok"
		case "alarm":
			m.Verdict, m.Detail = rollout.Fail, "it fires"
		case "unknown":
			m.Detail = "it is not there, or could not be read"
		}
		out = append(out, m)
	}
	return out
}

// alarms are those the moving release declares and those its rollout names,
// and what they say now, asked once a pass. One that cannot be read is unknown:
// policy decides what that means.
func (p *pass) alarms(ctx context.Context) []policy.Alarm {
	if p.ringing != nil {
		return p.ringing
	}
	out := []policy.Alarm{}
	declared := p.declaredAlarms()
	if len(declared) == 0 {
		return out
	}
	states := map[manifest.Ref]string{}
	if reader, ok := p.e.provider.(providers.AlarmReader); ok {
		var err error
		if states, err = reader.AlarmStates(ctx, declared); err != nil {
			p.e.log.Warn("alarms could not be read", zap.Error(err))
		}
	}
	for _, res := range declared {
		out = append(out, policy.Alarm{Name: res.Ref.Name, State: cmp.Or(states[res.Ref], "unknown")})
	}
	p.ringing = out
	return out
}

func (p *pass) declaredAlarms() []manifest.Resource {
	var out []manifest.Resource
	if p.moving == nil {
		return nil
	}
	known := map[string]bool{}
	for _, res := range p.moving.Resources {
		if res.Ref.Kind == manifest.KindAlarm {
			out, known[res.Ref.Name] = append(out, res), true
		}
	}
	for _, name := range p.st.Rollout.Analysis.Alarms {
		if !strings.HasPrefix(name, manifest.KindAlarm+"/") && !known[name] {
			out = append(out, manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindAlarm, Name: name}, Physical: name})
		}
	}
	return out
}
