// Package evidence reads signed statements about code: in-toto statements in
// DSSE envelopes, and says what of them is proved, by whose key, and about
// which digests. It refuses to fetch anything, to decide what is enough (that
// is policy's), and to take a statement's word for anything but its own
// signature: what is not signed by a known key is told as such and proves
// nothing.
package evidence
