package aws

import (
	"fmt"
	"sort"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"mooring.dev/providers/aws/quota"
)

// TestARotationIsEven: none becomes older than it may, and no survey has more
// to do than one more than its share, from whatever state it begins.
func TestARotationIsEven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const most, since = 10 * time.Minute, time.Minute
		ages := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 590).Draw(rt, "age")) * time.Second
		}), 1, 60).Draw(rt, "ages")
		for survey := range 40 {
			sort.Slice(ages, func(i, j int) bool { return ages[i] > ages[j] })
			share := evenly(ages, most, since)
			for i := range ages[:share] {
				ages[i] = 0
			}
			for i := range ages {
				if ages[i] += since; ages[i] > most {
					rt.Fatalf("survey %d lets a look become %v old, at most %v is promised", survey, ages[i], most)
				}
			}
			if fair := len(ages)/10 + 2; survey > 11 && share > 2*fair {
				rt.Fatalf("survey %d looks at %d of %d at once", survey, share, len(ages))
			}
		}
	})
}

// sharers are rotations that share one lane, of things that cost one call or
// many, some more than a survey ever has.
type sharers struct {
	rotations []rotation
	looks     []map[string]time.Time
	missed    []map[string]int // surveys since a thing was looked at
}

func drawSharers(rt *rapid.T, now time.Time) *sharers {
	f := &sharers{}
	for k := range rapid.IntRange(1, 3).Draw(rt, "rotations") {
		looks, costs := map[string]time.Time{}, map[string]int{}
		r := rotation{
			age:     time.Duration(rapid.IntRange(1, 10).Draw(rt, "age")) * time.Minute,
			service: "Lambda", operation: "ListAliases",
			lookedAt: func(name string) time.Time { return looks[name] },
			costs:    func(name string) int { return costs[name] },
		}
		for i := range rapid.IntRange(1, 12).Draw(rt, "things") {
			name := fmt.Sprintf("%d-%d", k, i)
			r.names = append(r.names, name)
			costs[name] = rapid.OneOf(rapid.IntRange(1, 5), rapid.IntRange(20, 300)).Draw(rt, "cost")
			if age := rapid.IntRange(0, 20).Draw(rt, "old"); age > 0 {
				looks[name] = now.Add(-time.Duration(age) * time.Minute)
			}
		}
		f.rotations, f.looks, f.missed = append(f.rotations, r), append(f.looks, looks), append(f.missed, map[string]int{})
	}
	return f
}

// pick is one survey's picks of a rotation. It tells what was broken.
func (f *sharers) pick(s *sweep, k int) (spent int, wrong string) {
	r := f.rotations[k]
	left := s.spare(s.laneOf(r), r.part)
	sorted := oldestFirst(r.names, r.lookedAt)
	due, first := s.due(r), ""
	must := map[string]bool{}
	for i, name := range sorted {
		at := f.looks[k][name]
		must[name] = at.IsZero() || i == 0 && s.at.Sub(at) >= r.age
		switch {
		case due[name] && first != "":
			return spent, fmt.Sprintf("%s is looked at before %s, which is older", name, first)
		case due[name] && !must[name] && spent+r.costOf(name) > left:
			return spent, fmt.Sprintf("%s costs %d calls, %d of %d are spent", name, r.costOf(name), spent, left)
		case due[name]:
			spent += r.costOf(name)
		case first == "":
			first = name
		}
	}
	if first != "" && (must[first] || s.at.Sub(f.looks[k][first]) >= r.age && spent+r.costOf(first) <= left) {
		return spent, fmt.Sprintf("the lane idles with %d calls left, while %s is due for %d", left-spent, first, r.costOf(first))
	}
	for _, name := range r.names {
		if f.missed[k][name]++; due[name] {
			f.looks[k][name], f.missed[k][name] = s.at, 0
		}
		if most := int(r.age/time.Minute) + len(r.names) + 1; f.missed[k][name] > most {
			return spent, fmt.Sprintf("%s starves: %d surveys, of at most %d", name, f.missed[k][name], most)
		}
	}
	return spent, ""
}

// TestRotationsShareALane: whatever rotates in a lane, each takes no more than
// is left but what cannot be put off, leaves nothing undone that it can pay for,
// looks at the oldest first, and none waits for ever, whoever is before it.
func TestRotationsShareALane(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		model := quota.New(quota.Options{Now: func() time.Time { return now }})
		p := &Provider{o: Options{Quota: model, Now: func() time.Time { return now }}}
		p.o.defaults()
		f := drawSharers(rt, now)
		for survey := range 40 {
			s := &sweep{p: p, spares: map[*quota.Lane]*laneSpare{}, at: now, since: time.Minute}
			for k := range f.rotations {
				before := s.spare(s.laneOf(f.rotations[k]), 0)
				spent, wrong := f.pick(s, k)
				if wrong != "" {
					rt.Fatalf("survey %d, rotation %d: %s", survey, k, wrong)
				}
				if after := s.spare(s.laneOf(f.rotations[k]), 0); after != max(0, before-spent) {
					rt.Fatalf("survey %d: of %d calls %d are promised, and %d left", survey, before, spent, after)
				}
			}
			now = now.Add(time.Minute)
		}
	})
}

// TestAgesConverge: rotations that fit into their lane keep their ages, from
// whatever state they begin.
func TestAgesConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		model := quota.New(quota.Options{Now: func() time.Time { return now }})
		p := &Provider{o: Options{Quota: model, Now: func() time.Time { return now }}}
		p.o.defaults()
		looks, most := map[string]time.Time{}, time.Duration(rapid.IntRange(3, 10).Draw(rt, "age"))*time.Minute
		r := rotation{age: most, service: "Lambda", operation: "ListAliases", cost: 3, lookedAt: func(name string) time.Time { return looks[name] }}
		fits := int(most/time.Minute) * 120 / r.cost // 120 calls a survey at AWS's rates
		for i := range rapid.IntRange(1, fits*9/10).Draw(rt, "things") {
			name := fmt.Sprint(i)
			r.names = append(r.names, name)
			looks[name] = now.Add(-time.Duration(rapid.IntRange(1, 3600).Draw(rt, "old")) * time.Second)
		}
		for survey := range 60 {
			s := &sweep{p: p, spares: map[*quota.Lane]*laneSpare{}, at: now, since: time.Minute}
			for name := range s.due(r) {
				looks[name] = now
			}
			now = now.Add(time.Minute)
			for _, name := range r.names {
				if age := now.Sub(looks[name]); survey > 20 && age > most {
					rt.Fatalf("survey %d: a look is %v old, %v is promised", survey, age, most)
				}
			}
		}
	})
}

// TestWhoGoesOnGoesFirst: a function that is only asked for its state keeps
// none waiting that goes on to another lane, and all go.
func TestWhoGoesOnGoesFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tour := &tour{now: duty{policies: map[string]bool{}, settings: map[string]bool{}}}
		var turns []*turn
		on := map[*turn]bool{}
		for i := range rapid.IntRange(0, 20).Draw(rt, "turns") {
			u := &turn{sub: &subject{physical: fmt.Sprint(i)}}
			switch rapid.IntRange(0, 3).Draw(rt, "where to") {
			case 0:
				u.deep = true
			case 1:
				tour.now.policies[u.sub.physical] = true
			case 2:
				tour.now.settings[u.sub.physical] = true
			default:
				u.asked = true
			}
			on[u] = !u.asked
			turns = append(turns, u)
		}
		sorted, went := tour.furthestFirst(turns), map[*turn]bool{}
		for i, u := range sorted {
			if went[u] = true; i > 0 && on[u] && !on[sorted[i-1]] {
				rt.Fatalf("%s goes on, and waits for %s", u.sub.physical, sorted[i-1].sub.physical)
			}
		}
		if len(went) != len(turns) {
			rt.Fatalf("%d of %d go", len(went), len(turns))
		}
	})
}

// fleetRun is a number of functions' rotations, without functions.
type fleetRun struct {
	p     *Provider
	model *quota.Model
	looks map[string]map[string]time.Time // by rotation and name
	names []string

	oldest  map[string]time.Duration
	longest time.Duration
	idle    time.Duration // the most that a survey took beyond its fullest lane
}

// rotations are those of duties, in its order.
func (f *fleetRun) rotations() map[string]rotation {
	at := func(layer string) func(string) time.Time {
		return func(name string) time.Time { return f.looks[layer][name] }
	}
	age := f.p.o.LayerAge
	return map[string]rotation{
		layerState:     {names: f.names, lookedAt: at(layerState), age: age / stateShare, service: "Lambda", operation: "GetFunction", cost: 2},
		layerFunctions: {names: f.names, lookedAt: at(layerFunctions), service: "Lambda", operation: "ListAliases", costs: f.layersCost},
		layerPolicies:  {names: f.names, lookedAt: at(layerPolicies), service: "Lambda", operation: "GetPolicy", cost: 2},
		layerSettings:  {names: f.names, lookedAt: at(layerSettings), age: settingsAge * age, service: "Lambda", operation: "GetRuntimeManagementConfig", cost: 4, part: partOfSettings},
	}
}

// layersCost lists versions once an hour.
func (f *fleetRun) layersCost(name string) int {
	if time.Since(f.looks["versions"][name]) >= settingsAge*f.p.o.LayerAge {
		return callsAround + 1
	}
	return callsAround
}

// survey makes the calls that are due, each lane's by its crew.
func (f *fleetRun) survey(t *testing.T, since time.Duration, settled bool) {
	start := time.Now()
	s := &sweep{p: f.p, spares: map[*quota.Lane]*laneSpare{}, at: start, since: since}
	calls := map[*quota.Lane]int{}
	drive := func(lane *quota.Lane) {
		if err := lane.Wait(t.Context(), quota.Background); err != nil {
			t.Error(err)
		}
	}
	common := f.model.Lane(scopeOf(f.p.o), "Lambda", "ListFunctions")
	for range len(f.names)/50 + len(f.names)/100 {
		drive(common)
	}
	listed, c := time.Since(start), newCrews(8, false)
	all := f.rotations()
	for _, layer := range []string{layerSettings, layerState, layerFunctions, layerPolicies} { // as duties picks them
		r := all[layer]
		lane := s.laneOf(r)
		for name := range s.due(r) {
			cost := r.costOf(name)
			f.looks[layer][name] = start
			calls[lane] += cost
			if layer == layerFunctions && cost > callsAround {
				f.looks["versions"][name] = start
			}
			c.hand(lane, func() {
				for range cost {
					drive(lane)
				}
			})
		}
	}
	c.wait()
	took := time.Since(start)
	if !settled {
		return
	}
	var fullest time.Duration
	for lane, n := range calls {
		if most := lane.Within(s.patience()); n > most {
			t.Errorf("%d functions: a survey's rotations take %d calls of a lane that lets %d through", len(f.names), n, most)
		}
		fullest = max(fullest, time.Duration(float64(n)/float64(lane.Within(1000*time.Second))*1000*float64(time.Second)))
	}
	f.longest, f.idle = max(f.longest, took), max(f.idle, took-listed-fullest)
	for layer := range all {
		for _, at := range f.looks[layer] {
			f.oldest[layer] = max(f.oldest[layer], start.Sub(at))
		}
	}
}

// TestAgesAreWhatTheQuotasAllow runs rotations at AWS's rates for hours: each
// layer keeps its age, or goes round in what the lane's share allows.
func TestAgesAreWhatTheQuotasAllow(t *testing.T) {
	for _, n := range []int{50, 200, 1000} {
		if n > largestFleet {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			f := &fleetRun{model: quota.New(quota.Options{}), looks: map[string]map[string]time.Time{}, oldest: map[string]time.Duration{}}
			f.p = &Provider{o: Options{Quota: f.model}}
			f.p.o.defaults()
			for i := range n {
				f.names = append(f.names, fmt.Sprintf("f%04d", i))
			}
			for _, layer := range []string{layerState, layerFunctions, layerPolicies, layerSettings, "versions"} {
				f.looks[layer] = map[string]time.Time{}
				for _, name := range f.names {
					f.looks[layer][name] = time.Now()
				}
			}
			last := time.Now()
			for survey := range 420 {
				time.Sleep(time.Until(last.Add(time.Minute)))
				since := time.Since(last)
				last = time.Now()
				f.survey(t, since, survey > 180)
			}
			// A survey's rotations have 120 calls of a lane of 15 a second.
			round := func(perSurvey float64) time.Duration {
				return time.Duration(float64(n) / perSurvey * float64(time.Minute))
			}
			for layer, most := range map[string]time.Duration{
				layerState: 2 * time.Minute, layerFunctions: max(10*time.Minute, round(96.0/(callsAround+1))),
				layerPolicies: max(10*time.Minute, round(60)), layerSettings: max(time.Hour, round(6)),
			} {
				if got := f.oldest[layer]; got > most+2*time.Minute {
					t.Errorf("%d functions: %s becomes %v old, the lanes allow %v", n, layer, got, most)
				}
			}
			if f.longest > time.Minute {
				t.Errorf("%d functions: a survey lasts %v, and keeps the next waiting", n, f.longest)
			}
			if f.idle > time.Second {
				t.Errorf("%d functions: a survey lasts %v longer than its fullest lane", n, f.idle)
			}
			t.Logf("%d functions: oldest %v, longest survey %v", n, f.oldest, f.longest)
		})
	}
}
