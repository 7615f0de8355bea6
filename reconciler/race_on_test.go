//go:build race

package reconciler

// How much is run under the race detector, which is slower.
const (
	simulationSeeds    = 60
	graphSeeds         = 3
	sweepPairs         = 10
	sweepEvery         = 8 // every eighth single failure
	relayInterleavings = 100
	mutantSeeds        = 0 // a mutant is looked for until it is found, which has nothing to do with races
)
