package main

import (
	"testing"

	"mooring.dev/reconciler/web/browsertest"
)

// looks shows every view on a phone and on a desk, in the light and in the
// dark, and keeps a picture of each. Nothing stands out of the window, every
// control has a name for those who do not see it, and every text has contrast.
func (s *killStage) looks(t *testing.T, tab *browsertest.Tab, views map[string]string) {
	t.Helper()
	for _, window := range []struct {
		name          string
		width, height int
	}{{"phone", 390, 844}, {"desk", 1280, 900}} {
		tab.Size(window.width, window.height)
		for name, view := range views {
			tab.Goto("http://" + s.listen + view)
			if over := tab.Wide(); over > 0 {
				t.Errorf("%s on a %s is %d pixels wider than its window", name, window.name, over)
			}
			if roles := tab.Nameless(); len(roles) > 0 {
				t.Errorf("%s on a %s has controls without a name: %v", name, window.name, roles)
			}
			for _, dark := range []bool{false, true} {
				tab.Dark(dark)
				if faint := tab.Faint(); len(faint) > 0 {
					t.Errorf("%s on a %s, dark %v, is hard to read: %q", name, window.name, dark, faint)
				}
				tab.Picture(name + "-" + window.name + map[bool]string{false: "-light", true: "-dark"}[dark])
			}
		}
	}
	tab.Size(1280, 900)
	tab.Dark(false)
}
