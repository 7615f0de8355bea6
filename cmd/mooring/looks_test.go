package main

import (
	"testing"

	"mooring.dev/reconciler/web/browsertest"
)

// looks looks at every view, and keeps a picture of each in both lights.
func (s *killStage) looks(t *testing.T, tab *browsertest.Tab, views map[string]string) {
	t.Helper()
	tab.Looks("http://"+s.listen, views, func(view, window string, dark bool) string {
		return view + "-" + window + map[bool]string{false: "-light", true: "-dark"}[dark]
	})
	tab.Size(1280, 900)
	tab.Dark(false)
}
