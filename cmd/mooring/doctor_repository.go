package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mooring.dev/policy"
	"mooring.dev/policy/rego"
	"mooring.dev/reconciler/diagnose"
	"mooring.dev/sources"
	"mooring.dev/sources/git"
	"mooring.dev/sources/manifest"
)

// repositoryLook is a repository as it was read.
type repositoryLook struct {
	found     diagnose.Repository
	pipeline  *manifest.Pipeline // nil: not known
	snapshots map[string]sources.Snapshot
	folder    *sources.Snapshot // it stands for every environment
}

// repository reads what is declared, and how far it is good.
func (d *doctoring) repository(ctx context.Context, cache string) *repositoryLook {
	r := &repositoryLook{found: diagnose.Repository{Address: shownAddress(cmp.Or(d.repo, d.path)), Control: cmp.Or(d.control, "main")}}
	source, _, err := d.source(filepath.Join(cache, "repository"), nil)
	if err == nil {
		r.snapshots, err = source.Fetch(ctx)
	}
	if err != nil {
		r.found.Err, r.found.Why = err, whyUnread(err)
		r.found.Key, r.found.Scan = d.sshKey, scanning(d.repo, d.knownHosts)
		return r
	}
	r.found.Control = sources.ControlBranch(d.control, source, r.snapshots)
	control, ok := r.snapshots[r.found.Control]
	if r.found.Missing = !ok; !ok {
		r.found.Others = controlsOf(r.snapshots)
		return r
	}
	if d.path != "" {
		folder := control
		r.folder = &folder
		if control, r.found.Standin, err = standIn(folder, filepath.Join(cache, "control")); err != nil {
			r.found.Err = err
			return r
		}
	}
	r.pipeline, err = manifest.LoadPipeline(control.Tree)
	r.found.Faults = faultLines(err)
	if r.pipeline != nil {
		r.found.Environs = len(r.pipeline.Environments)
	}
	r.found.Policies = policiesOf(control)
	return r
}

func whyUnread(err error) string {
	switch {
	case errors.Is(err, git.ErrStranger):
		return diagnose.Stranger
	case errors.Is(err, sources.ErrUnauthorized):
		return diagnose.Unauthorized
	case errors.Is(err, sources.ErrUnreachable):
		return diagnose.Unreachable
	}
	return ""
}

// scpAddress is user@host:path.
var scpAddress = regexp.MustCompile(`^(?:[^@/:]+@)?([^@/:]+):`)

// scanning is the command that learns the key of a repository's host.
func scanning(repo, knownHosts string) string {
	host, port := "", ""
	if u, err := url.Parse(repo); err == nil && u.Scheme == "ssh" {
		host, port = u.Hostname(), u.Port()
	} else if m := scpAddress.FindStringSubmatch(repo); m != nil {
		host = m[1]
	}
	if host == "" || knownHosts == "" {
		return ""
	}
	if port != "" {
		port = "-p " + diagnose.Quoted(port) + " "
	}
	return "ssh-keyscan " + port + diagnose.Quoted(host) + " >> " + diagnose.Quoted(knownHosts)
}

// controlsOf are the branches that could be the control branch.
func controlsOf(snapshots map[string]sources.Snapshot) []string {
	var out []string
	for _, name := range sortedNames(snapshots) {
		if _, err := fs.Stat(snapshots[name].Tree, manifest.PipelineFile); err == nil {
			out = append(out, name)
		}
	}
	return out
}

func policiesOf(control sources.Snapshot) diagnose.Policies {
	bundle, err := rego.Load(control.Tree, rego.LoadOptions{Revision: control.Commit.SHA})
	var faults *rego.LoadError
	switch {
	case errors.As(err, &faults):
		var p diagnose.Policies
		for _, f := range faults.Faults {
			p.Err = append(p.Err, f.String())
		}
		return p
	case err != nil:
		return diagnose.Policies{Err: []string{err.Error()}}
	}
	p := diagnose.Policies{Tests: bundle.Tests, Opens: bundle.Opens(policy.Admission)}
	for _, point := range points {
		p.Count += len(bundle.Packages(point))
	}
	return p
}

// environment renders an environment; the release is nil where it cannot be.
func (r *repositoryLook) environment(e manifest.Environment) (diagnose.Environment, *manifest.Release) {
	of := diagnose.Environment{Name: e.Name, Branch: e.Branch, Protected: e.Protected}
	snap, ok := r.snapshots[e.Branch]
	if r.folder != nil {
		snap, ok = *r.folder, true
	}
	if of.Missing = !ok; !ok {
		return of, nil
	}
	release, err := render(snap, r.pipeline, e)
	of.Faults = faultLines(err)
	if release == nil {
		return of, nil
	}
	of.Resources = len(release.Resources)
	return of, release
}

func faultLines(err error) []string {
	var out []string
	for _, f := range faultsOf("", err) {
		out = append(out, f.text())
	}
	return out
}

// noteZones remembers the zones that schedules go by.
func (d *doctoring) noteZones(release *manifest.Release) {
	if release == nil {
		return
	}
	for _, res := range release.Resources {
		if s, ok := res.Spec.(*manifest.ScheduleSpec); ok && s.ScheduleExpressionTimezone != "" {
			d.zones[s.ScheduleExpressionTimezone] = true
		}
	}
}

// shownAddress is an address without the password somebody put into it.
func shownAddress(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil && strings.Contains(address, "://") {
		return u.Redacted()
	}
	return address
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
