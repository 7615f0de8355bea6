//go:build race

package reconciler

const simulationSeeds = 300
