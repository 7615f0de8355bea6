//go:build race

package aws

// How large the fleets are under the race detector, which is slower.
const largestFleet = 200
