//go:build !race

package aws

// How large the fleets are whose surveys are counted.
const largestFleet = 1000
