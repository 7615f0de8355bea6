package browsertest

import "slices"

// Nameless are the controls that a screen reader has no name for, by role, as
// the browser's own accessibility tree has them.
func (t *Tab) Nameless() []string {
	t.b.t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored          bool
			Role, Name       struct{ Value any }
			BackendDOMNodeID int
		}
	}
	t.must("Accessibility.getFullAXTree", nil, &tree)
	var out []string
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		if !n.Ignored && name == "" && slices.Contains([]string{"button", "link", "textbox", "searchbox", "combobox", "checkbox", "DisclosureTriangle", "img", "image"}, role) {
			out = append(out, role)
		}
	}
	return out
}

// Faint are the texts whose contrast with what is behind them is less than
// WCAG's 4.5 to 1, with their contrast.
func (t *Tab) Faint() []string {
	t.b.t.Helper()
	var out []string
	if err := t.Eval(faint, &out); err != nil {
		t.b.t.Fatal(err)
	}
	return out
}

const faint = `(() => {
	const parse = (c) => (c.match(/[\d.]+/g) || []).map(Number);
	const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
	const out = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) {
		const e = n.parentElement;
		if (!n.textContent.trim() || !e.checkVisibility() || e.closest("svg, script, style, noscript")) continue;
		const a = light(parse(getComputedStyle(e).color)), b = light(behind(e)), c = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (c < 4.5) out.add(n.textContent.trim().slice(0, 40) + " " + c.toFixed(2));
	}
	return [...out];
})()`

// Wide is by how many pixels the page is wider than its window.
func (t *Tab) Wide() int {
	t.b.t.Helper()
	var over int
	if err := t.Eval("document.documentElement.scrollWidth - document.documentElement.clientWidth", &over); err != nil {
		t.b.t.Fatal(err)
	}
	return over
}
