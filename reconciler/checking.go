package reconciler

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mooring.dev/providers"
	"mooring.dev/providers/crew"
	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/measure"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

// pressing is how long a slow check may go on once there is something new.
const pressing = time.Second

// check runs the environment's checks on the content in force, remembers the
// results as evidence, and looks whether the contract holds.
func (p *pass) check(ctx context.Context) error {
	p.broken = p.contract(ctx, p.target)
	if err := p.alertContract(ctx); err != nil {
		return err
	}
	if !p.atRest() {
		return nil
	}
	if due := p.checksDue(); len(due) > 0 {
		recs := p.runChecks(ctx, due)
		p.changed = p.changed || len(recs) > 0
		if err := p.remember(ctx, recs...); err != nil {
			return err
		}
	}
	p.housekeep(ctx)
	return nil
}

// checksDue are the declared checks to be tried now: those that have not
// passed on this content, and those whose pass is old.
func (p *pass) checksDue() []manifest.Check {
	key := p.st.Rollout.Release.Key()
	var due []manifest.Check
	for _, c := range p.spec.Checks {
		if c.Verdict != nil {
			continue // somebody else gives it
		}
		name := checkName(c)
		if old, ok := p.st.Checks[key][name]; ok && old.Passed {
			again := old.At.Add(time.Duration(c.Every))
			if c.Every == 0 || p.now.Before(again) && !p.now.Before(old.At) {
				if c.Every > 0 {
					p.later = append(p.later, again)
				}
				continue
			}
		}
		last := p.e.lastCheck[tried(key, name)]
		if next := last.Add(p.e.d.opts.Pace.Check); !last.IsZero() && p.now.Before(next) {
			p.later = append(p.later, next)
			continue
		}
		due = append(due, c)
	}
	return due
}

func tried(key record.Key, name string) string { return key.Content + " " + name }

// runChecks tries checks side by side. A check that was broken off because
// there is something new says nothing, and is tried again.
func (p *pass) runChecks(ctx context.Context, due []manifest.Check) []journal.Record {
	key := p.st.Rollout.Release.Key()
	pressed, stop := p.e.pressed(ctx)
	defer stop()
	results := make([]record.CheckResult, len(due))
	var g crew.Crew
	g.SetLimit(p.e.d.opts.Pace.Parallel)
	for i, c := range due {
		g.Go(func() error {
			timed, cancel := context.WithTimeout(pressed, patience(c))
			defer cancel()
			passed, detail, err := p.put(timed, c)
			r := record.CheckResult{Key: key, Name: checkName(c), At: p.now, Passed: passed && err == nil, Detail: detail}
			if err != nil {
				r.Unknown, r.Detail = true, err.Error()
			}
			results[i] = r
			return nil
		})
	}
	_ = g.Wait() // each has its result
	var recs []journal.Record
	for _, r := range results {
		if r.Unknown && pressed.Err() != nil {
			continue
		}
		p.e.lastCheck[tried(key, r.Name)] = p.now
		recs = append(recs, journal.Record{Check: &r})
	}
	return recs
}

// pressed is ctx, ended a while after the environment is woken: what is new
// does not wait for a slow answer.
func (e *environment) pressed(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
			e.nudge()
		}
		timer := time.NewTimer(pressing)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
			cancel()
		}
	}()
	return ctx, func() { cancel(); <-done }
}

// patience is how long one try of a check may take.
func patience(c manifest.Check) time.Duration {
	switch {
	case c.Timeout > 0:
		return time.Duration(c.Timeout)
	case c.Invoke != nil:
		return manifest.MaxCheck // a function may have to start
	}
	return measure.Timeout
}

// put puts one check's question. An error means that there was no answer.
func (p *pass) put(ctx context.Context, c manifest.Check) (passed bool, detail string, err error) {
	switch {
	case c.Invoke != nil:
		return p.askFunction(ctx, *c.Invoke)
	case c.Alarm != "":
		return p.askAlarm(ctx, c.Alarm)
	case c.HTTP != nil:
		return p.e.d.askHTTP(ctx, *c.HTTP)
	case c.Prometheus != nil:
		return p.e.d.askPrometheus(ctx, *c.Prometheus)
	}
	return false, "this check asks nothing", nil
}

func (p *pass) askFunction(ctx context.Context, in manifest.Invoke) (passed bool, detail string, err error) {
	ref := manifest.Ref{Kind: manifest.KindFunction, Name: in.Function}
	res, ok := p.target.Resource(ref)
	if !ok {
		return false, fmt.Sprintf("%s is not declared here", ref), nil
	}
	qualifier := p.target.Functions[ref].Alias.Name
	if _, alias, ok := strings.Cut(qualifier, "."); ok {
		qualifier = alias
	}
	return p.e.invoke(ctx, res, qualifier, in)
}

// askAlarm: an alarm of the release, or any of the account by its name.
func (p *pass) askAlarm(ctx context.Context, name string) (passed bool, detail string, err error) {
	reader, ok := p.e.provider.(providers.AlarmReader)
	if !ok {
		return false, "", errors.New("this platform has no alarms")
	}
	alarm := manifest.Resource{Ref: manifest.Ref{Kind: manifest.KindAlarm, Name: name}, Physical: name}
	if own, ours := strings.CutPrefix(name, manifest.KindAlarm+"/"); ours {
		if alarm, ok = p.target.Resource(manifest.Ref{Kind: manifest.KindAlarm, Name: own}); !ok {
			return false, name + " is not declared here", nil
		}
	}
	states, err := reader.AlarmStates(ctx, []manifest.Resource{alarm})
	switch state := states[alarm.Ref]; {
	case err != nil:
		return false, "", err
	case state == "ok":
		return true, "", nil
	case state == "alarm":
		return false, "the alarm " + name + " fires", nil
	case state == "":
		return false, "", fmt.Errorf("there is no alarm %s", name)
	default:
		return false, "", fmt.Errorf("the alarm %s has no data", name)
	}
}

func (d *Daemon) askHTTP(ctx context.Context, c manifest.HTTPCheck) (passed bool, detail string, err error) {
	address, header, err := d.outwards(c.URL, c.Headers)
	if err != nil {
		return false, "", err
	}
	answer, err := d.opts.Ask.Ask(ctx, measure.Request{URL: address, Method: c.Method, Header: header})
	if err != nil {
		return false, "", err
	}
	switch {
	case c.Status == 0 && (answer.Status < 200 || answer.Status > 299):
		return false, fmt.Sprintf("answered %d, want 200 to 299", answer.Status), nil
	case c.Status != 0 && answer.Status != c.Status:
		return false, fmt.Sprintf("answered %d, want %d", answer.Status, c.Status), nil
	}
	why := expect(answer.Body, c.Expect)
	return why == "", why, nil
}

func (d *Daemon) askPrometheus(ctx context.Context, c manifest.PrometheusCheck) (passed bool, detail string, err error) {
	_, header, err := d.outwards(manifest.Secret{}, c.Headers)
	if err != nil {
		return false, "", err
	}
	v, err := measure.Prometheus{Client: d.opts.Ask, Address: c.Address, Header: header}.Query(ctx, c.Query, d.opts.Now())
	if err != nil {
		return false, "", err
	}
	return heldTo(c, v)
}

func bounds(c manifest.PrometheusCheck) string {
	switch {
	case c.Min == nil:
		return fmt.Sprintf("at most %g", *c.Max)
	case c.Max == nil:
		return fmt.Sprintf("at least %g", *c.Min)
	}
	return fmt.Sprintf("%g to %g", *c.Min, *c.Max)
}

// outwards reads the secrets of a question that leaves the platform, anew each
// time. Its errors name where they are read from, never what.
func (d *Daemon) outwards(url manifest.Secret, headers map[string]manifest.Secret) (string, http.Header, error) {
	if d.opts.Ask == nil || d.opts.Secret == nil {
		return "", nil, errors.New("this daemon asks nobody outside the platform")
	}
	address, err := d.opts.Secret(url)
	if err != nil {
		return "", nil, fmt.Errorf("read the url: %w", err)
	}
	out := http.Header{}
	for name, s := range headers {
		value, err := d.opts.Secret(s)
		if err != nil {
			return "", nil, fmt.Errorf("read header %s: %w", name, err)
		}
		out.Set(name, value)
	}
	return address, out, nil
}

func checkName(c manifest.Check) string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Invoke != nil:
		return "invoke " + c.Invoke.Function
	}
	return "check"
}

// results are what is remembered of the declared checks on the content in
// force: what a check said that is no longer declared is no evidence.
func (p *pass) results() []record.CheckResult {
	of := p.st.Checks[p.st.Rollout.Release.Key()]
	var out []record.CheckResult
	for _, c := range p.spec.Checks {
		if r, ok := of[checkName(c)]; ok {
			out = append(out, r)
		}
	}
	return out
}

// unsure: a check that was asked gave no answer.
func (p *pass) unsure() bool {
	for _, r := range p.results() {
		if r.Unknown {
			return true
		}
	}
	return false
}
