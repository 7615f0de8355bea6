//go:build !race

package main

// sweepSample is how many cases of the sweep run; 0 is all.
const sweepSample = 0
