package diagnose

import (
	"fmt"
	"math"
	"time"
)

// Fleet is what of an account and region is looked at, and how fast the account
// lets that be done: all environments there share its rates.
type Fleet struct {
	Name      string // account and region
	Functions int
	Mappings  int // event source mappings
	Others    int // calls a survey of the listings besides
	// Interval is the shortest drift.interval of its environments.
	Interval time.Duration
	// PerSecond is what the account lets through of Lambda's common rate, and Share
	// the part of it that looking may take, 0..1.
	PerSecond, Share float64
	Hints            bool // changes are told where they happen, in every environment
}

// How often a function is asked about by itself (docs/operations.md, "Sizing"):
// three calls each ten minutes for weights, URLs and asynchronous invocation, and
// four an hour for settings. A listing has fifty functions or a hundred mappings.
const (
	asksEach, asksEvery         = 3, 10 * time.Minute
	settingsEach, settingsEvery = 4, time.Hour
	listedFunctions             = 50
	listedMappings              = 100
)

// rotated and listed are the calls a second that keeping every layer at its age
// takes.
func (f Fleet) rotated() float64 {
	return float64(f.Functions) * (asksEach/asksEvery.Seconds() + settingsEach/settingsEvery.Seconds())
}

func (f Fleet) listed() float64 {
	if f.Interval <= 0 {
		return 0
	}
	calls := math.Ceil(float64(f.Functions)/listedFunctions) + math.Ceil(float64(f.Mappings)/listedMappings) + float64(f.Others)
	return calls / f.Interval.Seconds()
}

// mostShare is the part of a rate that is advised for looking: the rest is for
// releases, and for who else calls.
const mostShare = 0.6

// OfFleet estimates whether looking keeps its ages within the account's rates.
func OfFleet(f Fleet) Check {
	s := subject{"rates-needed", f.Name}
	need, may := f.rotated()+f.listed(), f.PerSecond*f.Share
	found := fmt.Sprintf("about %.1f calls a second of Lambda's %.0f for %s looked at each %s; looking may take %.1f", need, f.PerSecond, counted(f.Functions, "function"), f.Interval, may)
	if need <= may {
		return s.ok("%s", found)
	}
	if share := math.Ceil(100*need/f.PerSecond) / 100; share <= mostShare {
		return s.warning(fmt.Sprintf("run the daemon with --sweep-share %.2f, or bear that looks become older than docs/operations.md says, oldest first", share), "%s", found)
	}
	if room := mostShare*f.PerSecond - f.rotated(); room > 0 {
		seconds := math.Ceil(f.listed() * f.Interval.Seconds() / room)
		return s.warning(fmt.Sprintf("set drift.interval: %s in its environments, and run the daemon with --sweep-share %.2f", time.Duration(seconds)*time.Second, mostShare), "%s", found)
	}
	if f.Hints {
		return s.ok("%s: looks become older, %.0f times at least, and hints tell of changes at once", found, need/may)
	}
	return s.warning("no setting keeps every look's age at this size: declare hints in its environments (docs/operations.md, \"Hints\"), which tell of changes at once", "%s", found)
}
