package wire

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// NewID is a fresh identifier in the form of a UUID.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// readers are the verbs of operations that change nothing.
var readers = [...]string{"Get", "List", "Describe", "Head", "Lookup", "BatchGet", "Filter", "Simulate", "Validate", "Test"}

// ReadOnly tells by its name whether an operation changes nothing.
func ReadOnly(operation string) bool {
	for _, verb := range readers {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return operation == "AssumeRole" // as the audit trail counts it
}

// Glob matches a whole string against a pattern in which * stands for any
// characters and ? for one.
func Glob(pattern, s string) bool {
	// Iterative with one backtrack point: linear in practice, never
	// exponential.
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
