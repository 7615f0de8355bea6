package aws

import (
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
	// part is how much of what the lane can spare this rotation may take, where
	// others in the same lane would go without: zero is all of it.
	part float64
}

// due picks what is looked at now: what never was, and of the rest what is too
// old and as many of the oldest as keep the rotation going evenly, within what
// the lane can spare. Where the account's rates do not allow the age, looks
// become older, and their layer says so. What was never looked at is not put
// off, and counts.
func (s *sweep) due(r rotation) map[string]bool {
	if r.age == 0 {
		r.age = s.p.o.LayerAge
	}
	sorted := oldestFirst(r.names, r.lookedAt)
	share := int(float64(len(sorted)) * float64(s.since) / float64(r.age))
	spare := len(sorted)
	lane := s.laneOf(r)
	if lane != nil {
		spare = s.spare(lane, r.part) / r.cost
	}
	due := map[string]bool{}
	for i, name := range sorted {
		at := r.lookedAt(name)
		if at.IsZero() || len(due) < spare && (i < share || s.at.Sub(at) >= r.age) {
			due[name] = true
		}
	}
	if lane != nil {
		s.mu.Lock()
		s.spares[lane].left -= len(due) * r.cost
		s.mu.Unlock()
	}
	return due
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
