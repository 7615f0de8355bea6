//go:build race

package reconciler

// How much is run under the race detector, which is slower.
const (
	simulationSeeds    = 60
	graphSeeds         = 3
	sweepPairs         = 4
	sweepEvery         = 24 // every so manieth single failure: what goes on at once is the same in all
	relayInterleavings = 100
	mutantSeeds        = 0 // a mutant is looked for until it is found, which has nothing to do with races
)
