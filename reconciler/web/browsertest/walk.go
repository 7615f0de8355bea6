package browsertest

// Stop is where the focus was on a walk through a page by the Tab key.
type Stop struct {
	Place int    // among all elements, in the order they are read
	What  string // for people: the element and its text
	// Seen: it is in the window, and drawn with an outline.
	Seen bool
}

// Walk presses Tab from the beginning of the page until the focus leaves it,
// and says where it was, and what it never came to of what takes part in the
// page. A page that does not let go within limit presses keeps the focus.
func (t *Tab) Walk(limit int) (stops []Stop, missed []string, letGo bool) {
	t.b.t.Helper()
	if err := t.Eval(`(() => { document.activeElement?.blur(); scrollTo(0, 0); getSelection().removeAllRanges(); window.walked = new Set(); })()`, nil); err != nil {
		t.b.t.Fatal(err)
	}
	for range limit {
		t.Press("Tab")
		var s *Stop
		if err := t.Eval(stop, &s); err != nil {
			t.b.t.Fatal(err)
		}
		if s == nil {
			letGo = true
			break
		}
		stops = append(stops, *s)
	}
	if err := t.Eval(unwalked, &missed); err != nil {
		t.b.t.Fatal(err)
	}
	return stops, missed, letGo
}

const stop = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body || e === document.documentElement || window.walked.has(e)) return null;
	window.walked.add(e);
	const r = e.getBoundingClientRect(), s = getComputedStyle(e);
	const inside = r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth && r.width > 0;
	return {Place: [...document.querySelectorAll("*")].indexOf(e), What: (e.localName + " " + (e.innerText || e.name || "")).slice(0, 60),
		Seen: inside && s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2};
})()`

const unwalked = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")].filter((e) => e.checkVisibility() && !window.walked.has(e))
	.map((e) => (e.localName + " " + (e.innerText || e.name || "")).slice(0, 60))`

// Headings are the levels of the headings, in the order they are read.
func (t *Tab) Headings() []int {
	t.b.t.Helper()
	var levels []int
	if err := t.Eval(`[...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter((e) => e.checkVisibility()).map((e) => Number(e.localName[1]))`, &levels); err != nil {
		t.b.t.Fatal(err)
	}
	return levels
}
