package browsertest

// Looks opens every view, by its name, on a phone and on a desk, in the light
// and in the dark: nothing stands out of the window, every control has a name
// for those who do not see it, and every text has contrast. Of each it keeps
// the picture that keep names, and none where that is "".
func (t *Tab) Looks(base string, views map[string]string, keep func(view, window string, dark bool) string) {
	t.b.t.Helper()
	for _, window := range []struct {
		name          string
		width, height int
	}{{"phone", 390, 844}, {"desk", 1280, 900}} {
		t.Size(window.width, window.height)
		for name, view := range views {
			t.Goto(base + view)
			if over := t.Wide(); over > 0 {
				t.b.t.Errorf("%s on a %s is %d pixels wider than its window", name, window.name, over)
			}
			if roles := t.Nameless(); len(roles) > 0 {
				t.b.t.Errorf("%s on a %s has controls without a name: %v", name, window.name, roles)
			}
			for _, dark := range []bool{false, true} {
				t.Dark(dark)
				if faint := t.Faint(); len(faint) > 0 {
					t.b.t.Errorf("%s on a %s, dark %v, is hard to read: %q", name, window.name, dark, faint)
				}
				if picture := keep(name, window.name, dark); picture != "" {
					t.Picture(picture)
				}
			}
		}
	}
}
