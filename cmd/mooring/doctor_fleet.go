package main

import (
	"cmp"
	"time"

	"mooring.dev/reconciler/diagnose"
	"mooring.dev/sources/manifest"
)

// surveyCalls is what a survey makes at most beside the listings that grow with
// what is there.
const surveyCalls = 10

// lambdaRate is what an account lets through of most calls of Lambda, in a second.
const lambdaRate = 15

// fleets are what is looked at, by account and region: environments share its rates.
type fleets map[string]*diagnose.Fleet

// note counts an environment in.
func (all fleets) note(e manifest.Environment, release *manifest.Release, share float64) {
	if e.Provider.AWS == nil || release == nil {
		return
	}
	name := cmp.Or(e.Provider.AWS.Account, "account of the credentials") + "/" + e.Provider.AWS.Region
	f := all[name]
	if f == nil {
		o := rates(cmp.Or(share, sweepShare))
		f = &diagnose.Fleet{Name: name, Hints: true, PerSecond: lambdaRate * cmp.Or(o.Scale, 1), Share: o.Background}
		all[name] = f
	}
	f.Others += surveyCalls
	if every := time.Duration(e.Drift.Interval); f.Interval == 0 || every < f.Interval {
		f.Interval = every
	}
	f.Hints = f.Hints && e.Hints.Queue != ""
	for i := range release.Resources {
		switch release.Resources[i].Ref.Kind {
		case manifest.KindFunction:
			f.Functions++
		case manifest.KindTrigger:
			f.Mappings++
		}
	}
}

func (all fleets) checks() (out []diagnose.Check) {
	for _, name := range sortedNames(all) {
		out = append(out, diagnose.OfFleet(*all[name]))
	}
	return out
}
