package rego

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/topdown/print"
)

// Bounds of what is kept of a package's print calls.
const (
	maxPrints     = 20
	maxPrintBytes = 4 << 10
)

// printed keeps what policies print, up to a bound. Its zero value is empty.
type printed struct {
	lines []string
	size  int
	cut   bool
}

// Print makes it OPA's hook.
func (p *printed) Print(at print.Context, msg string) error {
	line := strings.ToValidUTF8(msg, "\uFFFD")
	if at.Location != nil {
		line = fmt.Sprintf("%s:%d: %s", at.Location.File, at.Location.Row, line)
	}
	room := maxPrintBytes - p.size
	switch {
	case p.cut:
		return nil
	case len(p.lines) == maxPrints || room <= 0:
		p.lines, p.cut = append(p.lines, "… and more"), true
		return nil
	case len(line) > room:
		line = strings.ToValidUTF8(line[:room], "") + "…"
	}
	p.lines, p.size = append(p.lines, line), p.size+len(line)
	return nil
}
