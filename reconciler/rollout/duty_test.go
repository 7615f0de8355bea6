package rollout

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/providers"
	"mooring.dev/reconciler/record"
	"mooring.dev/sources/manifest"
)

var (
	live    = manifest.Ref{Kind: manifest.KindAlias, Name: "a.live"}
	quarter = 15 * time.Minute
)

// riding is a canary of one function from version 1 to 2.
func riding(phase Phase) State {
	s := State{Phase: phase, Release: record.Release{Digest: "r1"}, Stable: record.Release{Digest: "r0"}, Weight: 10,
		Functions: []Function{{Ref: manifest.Ref{Kind: manifest.KindFunction, Name: "a"}, Alias: live, Stable: "1", New: "2"}}}
	if phase != Shift {
		s.Weight = 0
	}
	return s
}

// standing at noon, that acts in so long.
func stands(in time.Duration, state record.SwitchState) record.Switch {
	return record.Switch{Alias: live, Version: "1", State: state, Acts: noon.Add(in), Since: noon.Add(in - quarter)}
}

// Every state of a switch against every state of a rollout that matters.
func TestDuties(t *testing.T) {
	stable, canary := providers.Routing{Version: "1"}, providers.Routing{Version: "1", Canary: "2", Weight: providers.Percent(10)}
	whole, foreign := providers.Routing{Version: "2"}, providers.Routing{Version: "7"}
	armed, lost, asked := record.SwitchArmed, record.SwitchLost, record.SwitchAsked
	other, group, older := stands(quarter, armed), stands(quarter, armed), stands(quarter, armed)
	other.Version, group.Group, older.Since = "9", "elsewhere", noon.Add(-time.Hour)
	cases := map[string]struct {
		phase    Phase
		live     providers.Routing
		sw       *record.Switch
		entering bool
		want     Do
	}{
		"no switch, canary in place":                  {Shift, canary, nil, false, DoWrite},
		"no switch, about to move":                    {Shift, stable, nil, true, DoWrite},
		"no switch, somebody else moved it":           {Shift, foreign, nil, false, ""},
		"no switch, alias not seen":                   {Shift, providers.Routing{}, nil, false, DoWrite},
		"asked for, and it is not known what came":    {Shift, canary, ptr(stands(quarter, asked)), false, DoWrite},
		"of another version":                          {Shift, canary, &other, false, DoWrite},
		"in another group":                            {Shift, canary, &group, false, DoRemove},
		"fresh":                                       {Shift, canary, ptr(stands(quarter, armed)), false, ""},
		"fresh, all of the traffic":                   {Shift, whole, ptr(stands(quarter, armed)), false, ""},
		"a third is used, not more":                   {Shift, canary, ptr(stands(10*time.Minute, armed)), false, ""},
		"over a third is used":                        {Shift, canary, ptr(stands(10*time.Minute-1, armed)), false, DoPutOff},
		"over a third is used, alias not seen":        {Shift, providers.Routing{}, ptr(stands(time.Minute, armed)), false, DoPutOff},
		"its time has come":                           {Shift, canary, ptr(stands(0, armed)), false, DoAwait},
		"its time has come, within the platform's":    {Shift, canary, ptr(stands(1-grace, armed)), false, DoAwait},
		"its time is over, and it moved nothing":      {Shift, canary, ptr(stands(-grace, armed)), false, DoWrite},
		"back, nobody sent it":                        {Shift, stable, ptr(stands(quarter, armed)), false, DoAsk},
		"back, its time is over":                      {Shift, stable, ptr(stands(-time.Hour, armed)), false, DoAsk},
		"somebody else moved it":                      {Shift, foreign, ptr(stands(quarter, armed)), false, DoRemove},
		"lost, not looked since":                      {Shift, canary, ptr(stands(quarter+time.Minute, lost)), false, DoLook},
		"lost, back":                                  {Shift, stable, ptr(stands(quarter-time.Minute, lost)), false, DoGoBack},
		"lost, not back":                              {Shift, canary, ptr(stands(quarter-time.Minute, lost)), false, DoWrite},
		"about to move, left by the release before":   {Shift, stable, ptr(stands(quarter, armed)), true, ""},
		"about to move, it acts too soon":             {Shift, stable, ptr(stands(time.Minute, armed)), true, DoPutOff},
		"about to move, it acted and changed nothing": {Shift, stable, ptr(stands(0, armed)), true, DoWrite},
		"about to move, lost":                         {Shift, stable, ptr(stands(quarter, lost)), true, DoWrite},
		"expanding, it would change nothing":          {Expand, stable, ptr(stands(quarter, armed)), false, ""},
		"checking, it would change nothing":           {Check, stable, ptr(stands(0, armed)), false, ""},
		"checking, of another version":                {Check, stable, &other, false, DoRemove},
		"going back to the same":                      {Back, canary, ptr(stands(quarter, armed)), false, ""},
		"going back to another":                       {Back, canary, &other, false, DoRemove},
		"proved: connecting":                          {Connect, whole, ptr(stands(quarter, armed)), false, DoRemove},
		"proved: contracting":                         {Contract, whole, ptr(stands(quarter, armed)), false, DoRemove},
		"in force":                                    {Idle, whole, ptr(stands(quarter, armed)), false, DoRemove},
		"in force, lost":                              {Idle, whole, ptr(stands(quarter, lost)), false, DoRemove},
		"in force, no switch":                         {Idle, whole, nil, false, ""},
	}
	for name, c := range cases {
		g := Guarded{After: quarter, Entering: c.entering, Switches: map[manifest.Ref]record.Switch{}, Live: map[manifest.Ref]providers.Live{}}
		if c.sw != nil {
			g.Switches[live] = *c.sw
		}
		if c.live.Version != "" {
			g.Live[live] = providers.Live{Exists: true, Routing: c.live, SeenAt: noon}
		}
		s := riding(c.phase)
		if c.live == whole && s.Phase == Shift {
			s.Weight = 100
		}
		got := s.Duties(g, noon)
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: %+v, want nothing", name, got)
		case c.want != "" && (len(got) != 1 || got[0].Do != c.want || got[0].Alias != live):
			t.Errorf("%s: %+v, want %q", name, got, c.want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A first deployment, and what has no alias, have nothing to go back to.
func TestDutiesWithoutStable(t *testing.T) {
	for name, change := range map[string]func(*Function){
		"first":    func(f *Function) { f.Stable = "" },
		"no alias": func(f *Function) { f.Alias = manifest.Ref{} },
		"same":     func(f *Function) { f.New = f.Stable },
	} {
		s := riding(Shift)
		change(&s.Functions[0])
		if got := s.Duties(Guarded{After: quarter}, noon); len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A daemon that does what is due, however irregularly it comes round, never
// lets a switch act as long as it comes within a third of the time; and never
// writes more often than a third of the time passes.
func TestDutiesPutOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		after := time.Duration(rapid.IntRange(5, 1440).Draw(t, "minutes")) * time.Minute
		s, now, writes := riding(Shift), noon, 0
		g := Guarded{After: after, Switches: map[manifest.Ref]record.Switch{}, Live: map[manifest.Ref]providers.Live{
			live: {Exists: true, Routing: providers.Routing{Version: "1", Canary: "2", Weight: 1000}, SeenAt: now}}}
		for range rapid.IntRange(1, 200).Draw(t, "passes") {
			for _, d := range s.Duties(g, now) {
				if d.Do != DoWrite && d.Do != DoPutOff || d.Do == DoWrite && writes > 0 {
					t.Fatalf("%s after %s", d.Do, now.Sub(noon))
				}
				writes++
				g.Switches[live] = record.Switch{Alias: live, Version: "1", State: record.SwitchArmed, Acts: now.Add(after), Since: now}
			}
			if !g.Switches[live].Acts.After(now.Add(after / 2)) {
				t.Fatalf("it acts in %s", g.Switches[live].Acts.Sub(now))
			}
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(after/7)).Draw(t, "later")))
		}
		if most := 1 + int(now.Sub(noon)/(after/3)); writes > most {
			t.Fatalf("%d writes in %s, want %d at most", writes, now.Sub(noon), most)
		}
	})
}

// What a switch did takes the release back, and does not quarantine it: nobody
// saw it fail.
func TestSwitchedGoesBack(t *testing.T) {
	for _, sig := range []Signal{{Switched: "deadman"}, {Switched: "deadman", Held: "incident"}, {Switched: "deadman", Advance: true, Routed: true}} {
		s := Advance(riding(Shift), sig, noon)
		if s.Phase != Back || s.Returned != BySwitch || s.Failed || s.Reason != "deadman" {
			t.Errorf("%+v: %s, %s, failed %v", sig, s.Phase, s.Returned, s.Failed)
		}
	}
}
