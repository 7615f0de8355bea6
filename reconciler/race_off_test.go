//go:build !race

package reconciler

const simulationSeeds = 2000
