//go:build !race

package reconciler

// How much is run without the race detector.
const (
	simulationSeeds    = 2000
	graphSeeds         = 25
	sweepPairs         = 300
	sweepEvery         = 1 // every single failure
	relayInterleavings = 10000
	mutantSeeds        = 150
)
