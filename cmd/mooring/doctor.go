package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mooring.dev/providers"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/reconciler/diagnose"
	"mooring.dev/reconciler/identity"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/manifest"
)

// doctoring is one run of the doctor: it gathers, and diagnose judges.
type doctoring struct {
	runFlags // those of the daemon it is about
	client
	asked bool // for the daemon, by name
	// pipeline is its name, once the repository was read; "" before.
	pipeline string
	at       diagnose.Place

	zones map[string]bool // that schedules go by
}

func doctorCommand() *cobra.Command {
	var d doctoring
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "look whether everything Mooring needs is there, and say what to do where it is not",
		Long: `Tries the repository, the policies and their tests, each environment's
credentials and the reads that looking needs, the account's limits, the clock,
the way hints come, the host that people review on, the receivers, the
certificate and the state folder. Nothing is written to cloud or repository,
and no alert is sent.

Takes the flags of mooring run, and is best given the same. Each check is ok, a
warning, a fault, or skipped with the reason; what to do stands below it, and
the commands for it at the end. Exits 1 when anything is at fault, and 0
otherwise.`,
		Example: `  mooring doctor --repo shop.git
  mooring doctor --repo shop.git --environment production -o json
  mooring doctor --path . --state /var/lib/mooring --server http://127.0.0.1:8420`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd) },
	}
	d.runFlags.flags(cmd)
	for _, name := range []string{"signing-key", "poll", "once", "sweep-share", "read-only", "timeout", "insecure-loopback", "open-metrics", "log-format", "verbose"} {
		cmd.Flags().Lookup(name).Hidden = true // they are the daemon's alone
	}
	d.client.flags(cmd)
	cmd.Flags().Lookup("output").Usage = "table, json or yaml"
	return cmd
}

func (d *doctoring) run(cmd *cobra.Command) error {
	d.zones = map[string]bool{}
	d.locate(cmd.Flags())
	ctx, told := atWork(cmd)
	checks, err := d.checks(ctx)
	told()
	if err != nil {
		return err
	}
	report := diagnose.Summarise(checks)
	if err := print(cmd, d.output, report, func(w io.Writer) { doctorTable(w, report) }); err != nil {
		return err
	}
	if report.Outcome == diagnose.Fault {
		return exit{exitError}
	}
	return nil
}

func (d *doctoring) checks(ctx context.Context) ([]diagnose.Check, error) {
	var out []diagnose.Check
	if d.repo == "" && d.path == "" {
		out = append(out, diagnose.NoRepository())
	} else {
		cache, err := os.MkdirTemp("", "mooring-doctor-")
		if err != nil {
			return nil, fmt.Errorf("make a cache: %w", err)
		}
		defer func() { _ = os.RemoveAll(cache) }()
		found, err := d.ofRepository(ctx, cache)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	out = append(out, d.ofDaemon(ctx)...)
	out = append(out, d.ofCertificate(ctx)...)
	out = append(out, diagnose.OfState(stateOf(d.state))...)
	return append(out, zonesKnown(d.zones)), nil
}

// ofRepository looks at the repository and at all that it names.
func (d *doctoring) ofRepository(ctx context.Context, cache string) ([]diagnose.Check, error) {
	tell(ctx, readingRepository)
	r := d.repository(ctx, cache)
	out := diagnose.OfRepository(d.at, r.found)
	out = append(out, d.ofGitClock(ctx)...)
	if r.pipeline == nil {
		return out, nil
	}
	d.pipeline = r.pipeline.Name
	for _, name := range d.environments {
		if _, ok := r.pipeline.Environment(name); !ok {
			return nil, unknownEnvironment(name, r.pipeline)
		}
	}
	look, err := d.platforms(cache)
	if err != nil {
		return nil, err
	}
	all := fleets{}
	for _, e := range r.pipeline.Environments {
		if len(d.environments) > 0 && !slices.Contains(d.environments, e.Name) {
			continue
		}
		tellCalls(ctx, "reaching "+e.Name, "trying "+e.Name, look.quota)
		of, release := r.environment(e)
		out = append(out, diagnose.OfEnvironment(d.at, of, r.found.Policies)...)
		d.noteZones(release)
		all.note(e, release, d.sweepShare)
		out = append(out, diagnose.OfPlatform(d.at, e, diagnosed(ctx, look, r.pipeline, e, release))...)
	}
	out = append(out, all.checks()...)
	tell(ctx, "trying the host, issuers and receivers")
	if r.pipeline.Host != nil {
		out = append(out, diagnose.OfHost(d.host(ctx, r.pipeline))...)
	}
	out = append(out, ofIssuers(ctx, r.pipeline.Identity.Issuers)...)
	out = append(out, diagnose.OfSecrets(otherSecrets(r.pipeline)))
	for _, name := range sortedNames(r.pipeline.Receivers) {
		out = append(out, diagnose.OfReceiver(d.receiver(ctx, look, name, r.pipeline.Receivers[name]))...)
	}
	return out, nil
}

// ofIssuers asks those whose tokens prove people for the place of their keys.
func ofIssuers(ctx context.Context, issuers []manifest.Issuer) (out []diagnose.Check) {
	verifier := identity.New(time.Now, nil)
	for _, of := range issuers {
		err := verifier.Reach(ctx, of)
		out = append(out, diagnose.OfIssuer(diagnose.Issuer{URL: of.URL, Err: err}))
		if of.Login == nil || err != nil {
			continue
		}
		about := diagnose.Login{Name: of.Login.Name, Back: web.Back(of.Login.Name), Secret: of.Login.Secret != nil}
		c, err := logins(verifier, &secrets{}, nil, "").Of(of)
		if err == nil {
			err = verifier.Able(ctx, c)
		}
		about.Err, about.Unsaid = err, errors.Is(err, identity.ErrUnsaid)
		out = append(out, diagnose.OfLogin(about))
	}
	return out
}

// platforms opens providers that only look.
func (d *doctoring) platforms(cache string) (*platforms, error) {
	tokens, err := tokenKey(cache)
	if err != nil {
		return nil, err
	}
	p := d.place
	p.state = cache
	return &platforms{place: &p, instance: instanceName(), tokens: tokens, quota: quota.New(rates(sweepShare)), readOnly: true}, nil
}

// diagnosed asks an environment's platform.
func diagnosed(ctx context.Context, f *platforms, p *manifest.Pipeline, e manifest.Environment, release *manifest.Release) providers.Diagnosis {
	provider, err := f.open(ctx, p, e)
	if err != nil {
		return providers.Diagnosis{Reached: providers.Reached{Why: providers.OtherRefusal, Text: err.Error()}}
	}
	diagnoser, ok := provider.(providers.Diagnoser)
	if !ok {
		return providers.Diagnosis{}
	}
	var want []manifest.Resource
	if release != nil {
		want = release.Resources
	}
	return diagnoser.Diagnose(ctx, want)
}

// ofDaemon asks a daemon, where one answers.
func (d *doctoring) ofDaemon(ctx context.Context) []diagnose.Check {
	var status web.Status
	about := diagnose.Daemon{Server: d.server, Asked: d.asked, Wanted: d.pipeline}
	about.Err = d.get(ctx, "/api/v1/status", &status)
	if errors.Is(about.Err, errUnproved) {
		about.Unproved, about.Err = true, nil
	}
	if about.Err != nil || about.Unproved {
		return []diagnose.Check{diagnose.OfDaemon(d.at, about)}
	}
	about.Environs, about.Pipeline = len(status.Environments), status.Pipeline
	if about.Stranger = status.ObservedAt.IsZero(); about.Other() {
		return []diagnose.Check{diagnose.OfDaemon(d.at, about)} // what it says of itself is not about us
	}
	about.Troubled = append(about.Troubled, status.Faults...)
	for _, e := range status.Environments {
		if e.LastError != "" {
			about.Troubled = append(about.Troubled, e.Name+": "+e.LastError)
		}
	}
	var lanes []diagnose.Lane
	for _, l := range status.Quota {
		lanes = append(lanes, diagnose.Lane{Name: l.Name, PerSecond: l.PerSecond, Allowed: l.Allowed, UsedRatio: l.UsedRatio, Throttles: l.Throttles})
	}
	return []diagnose.Check{diagnose.OfDaemon(d.at, about), diagnose.OfLanes(lanes)}
}

var resultColour = map[diagnose.Result]string{diagnose.OK: "32", diagnose.Warning: "33", diagnose.Fault: "31", diagnose.Skipped: "2"}

func doctorTable(w io.Writer, r diagnose.Report) {
	counts := map[diagnose.Result]int{}
	for _, c := range r.Checks {
		counts[c.Result]++
		row(w, colour(resultColour[c.Result], string(c.Result)), c.Name, cmp.Or(c.Scope, "-"), c.Found)
		if c.Remedy != "" {
			row(w, "", "", "", "→ "+c.Words())
		}
	}
	faults := len(r.Checks) - counts[diagnose.OK] - counts[diagnose.Warning] - counts[diagnose.Skipped]
	fmt.Fprintf(w, "%s: %d ok, %s, %s, %d skipped\n", r.Outcome, counts[diagnose.OK], counted(counts[diagnose.Warning], "warning"), counted(faults, "fault"), counts[diagnose.Skipped])
	doctorCommands(w, r)
}

// doctorCommands are what remedies come down to, a line each, to be copied.
func doctorCommands(w io.Writer, r diagnose.Report) {
	heading := "\nWhat to do, as commands:\n"
	for _, c := range r.Checks {
		if c.Command != "" {
			fmt.Fprintf(w, "%s# %s%s\n%s\n", heading, c.Name, of(c.Scope), c.Command)
			heading = ""
		}
	}
}

func of(scope string) string {
	if scope == "" {
		return ""
	}
	return " of " + scope
}

func journalPath(state string) string { return filepath.Join(state, "journal.db") }
