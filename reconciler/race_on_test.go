//go:build race

package reconciler

// How much is run under the race detector, which is slower.
const (
	simulationSeeds = 300
	sweepPairs      = 100
)
