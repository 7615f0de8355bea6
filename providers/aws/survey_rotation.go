package aws

import (
	"math"
	"sort"
	"time"

	"mooring.dev/providers/aws/quota"
)

// rotation is how a layer that costs calls for each of its things is looked
// at: a part of them in each survey, the oldest looks first.
type rotation struct {
	names    []string
	lookedAt func(name string) time.Time // zero: never
	// age is how old a look may become, where the lane allows it; zero:
	// Options.LayerAge.
	age time.Duration
	// service and operation name the lane, and cost how many of its calls one
	// look takes. Without a service nothing bounds the rotation.
	service, operation string
	cost               int
	// costs is the cost where it differs from thing to thing.
	costs func(name string) int
	// part is how much of what the lane can spare this rotation may take, where
	// others in the same lane would go without: zero is all of it.
	part float64
}

// due picks what is looked at now: what never was, and of the rest as many of
// the oldest as let none become too old, evenly from survey to survey, within
// what the lane can spare. Where the account's rates do not allow the age, looks
// become older, and their layer says so. What was never looked at is not put
// off, and counts. Neither is the oldest one that is too old: others in the
// lane, or a price that no survey has left, make nothing wait for ever.
func (s *sweep) due(r rotation) map[string]bool {
	if r.age == 0 {
		r.age = s.p.o.LayerAge
	}
	sorted := oldestFirst(r.names, r.lookedAt)
	ages := s.agesOf(sorted, r)
	share := evenly(ages, r.age, s.since)
	lane, spare, spent := s.laneOf(r), math.MaxInt, 0
	if lane != nil {
		spare = s.spare(lane, r.part)
	}
	due := map[string]bool{}
	for i, name := range sorted {
		cost := r.costOf(name)
		must := r.lookedAt(name).IsZero() || i == 0 && ages[i] >= r.age
		if !must && (i >= share || spent+cost > spare) {
			break // those after it are younger: an expensive one is not passed by
		}
		due[name] = true
		spent += cost
	}
	if lane != nil {
		s.mu.Lock()
		s.spares[lane].left -= spent
		s.mu.Unlock()
	}
	return due
}

func (r rotation) costOf(name string) int {
	if r.costs != nil {
		return r.costs(name)
	}
	return r.cost
}

func (s *sweep) agesOf(sorted []string, r rotation) []time.Duration {
	ages := make([]time.Duration, len(sorted))
	for i, name := range sorted {
		ages[i] = r.age // what never was looked at is due
		if at := r.lookedAt(name); !at.IsZero() {
			ages[i] = s.at.Sub(at)
		}
	}
	return ages
}

// evenly is how many of those with these ages, the oldest first, are due in a
// survey, so that each is looked at before it is older than it may be and no
// survey has more to do than it must. since is the time between surveys.
func evenly(ages []time.Duration, most, since time.Duration) int {
	share := 0
	for i, age := range ages {
		left := most - age
		switch {
		case left <= 0:
			share = i + 1
		case since > 0: // so many within this survey and those that come in time
			share = max(share, (i+1)/(int(left/since)+1))
		}
	}
	return share
}

// patience is how long the rotations of one lane may take: code, configuration
// and mappings are to be listed again soon after.
func (s *sweep) patience() time.Duration {
	return max(s.p.o.LayerAge/15, 10*time.Second)
}

func (s *sweep) laneOf(r rotation) *quota.Lane {
	if r.service == "" {
		return nil
	}
	return s.p.o.Quota.Lane(scopeOf(s.p.o), r.service, r.operation)
}

// laneSpare is what one survey may take of a lane: as it was when first asked
// for, and what rotations left of it.
type laneSpare struct{ first, left int }

// spare is how many calls of a lane a rotation may take. Calls that were
// promised to others, and are not made yet, are not promised again.
func (s *sweep) spare(lane *quota.Lane, part float64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.spares[lane]
	if l == nil {
		n := min(lane.Spare(), lane.Within(s.patience()))
		l = &laneSpare{n, n}
		s.spares[lane] = l
	}
	if part == 0 {
		return max(0, l.left)
	}
	return max(0, min(l.left, int(part*float64(l.first))))
}

// oldestFirst sorts names by when they were looked at.
func oldestFirst(names []string, lookedAt func(name string) time.Time) []string {
	type look struct {
		name string
		at   time.Time
	}
	looks := make([]look, len(names))
	for i, name := range names {
		looks[i] = look{name, lookedAt(name)}
	}
	sort.Slice(looks, func(i, j int) bool {
		if !looks[i].at.Equal(looks[j].at) {
			return looks[i].at.Before(looks[j].at)
		}
		return looks[i].name < looks[j].name
	})
	sorted := make([]string, len(looks))
	for i, l := range looks {
		sorted[i] = l.name
	}
	return sorted
}
