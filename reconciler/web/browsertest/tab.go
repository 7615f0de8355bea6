package browsertest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Tab is one page.
type Tab struct {
	b       *Browser
	session string
}

// Open makes a tab of its own that shows url.
func (b *Browser) Open(url string) *Tab {
	b.t.Helper()
	var target struct{ TargetID string }
	b.must(b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target))
	var session struct{ SessionID string }
	b.must(b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session))
	tab := &Tab{b: b, session: session.SessionID}
	tab.Size(1280, 900)
	tab.Goto(url)
	return tab
}

func (b *Browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

func (t *Tab) must(method string, params, into any) {
	t.b.t.Helper()
	t.b.must(t.b.call(t.session, method, params, into))
}

// Goto shows url and waits until it is loaded.
func (t *Tab) Goto(url string) {
	t.b.t.Helper()
	var said struct{ ErrorText string }
	t.must("Page.navigate", map[string]any{"url": url}, &said)
	if said.ErrorText != "" {
		t.b.t.Fatalf("%s: %s", url, said.ErrorText)
	}
	t.Await(`document.readyState === "complete"`)
}

// Size is that of the window, in pixels.
func (t *Tab) Size(width, height int) {
	t.must("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// Dark says what the person prefers.
func (t *Tab) Dark(on bool) {
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	t.must("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Eval is what an expression of the page is, as JSON has it.
func (t *Tab) Eval(expression string, into any) error {
	var said struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := t.b.call(t.session, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &said); err != nil {
		return err
	}
	if f := said.ExceptionDetails; f != nil {
		return fmt.Errorf("%s: %s %s", expression, f.Text, f.Exception.Description)
	}
	if into == nil || len(said.Result.Value) == 0 {
		return nil
	}
	return json.Unmarshal(said.Result.Value, into)
}

// Await waits until an expression holds. While a page is left for another none
// does.
func (t *Tab) Await(expression string) {
	t.b.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		holds := false
		if err = t.Eval("Boolean("+expression+")", &holds); err == nil && holds {
			return
		}
	}
	t.b.t.Fatalf("%s never came to be (%v); the page says:\n%s", expression, err, t.Text("body"))
}

// Text is what a person reads there.
func (t *Tab) Text(selector string) string {
	t.b.t.Helper()
	var text string
	if err := t.Eval("document.querySelector("+quoted(selector)+")?.innerText ?? ''", &text); err != nil {
		t.b.t.Fatal(err)
	}
	return text
}

// Click moves the mouse to what selector names first, and presses there. What
// lies under something else, or is not drawn, is not clicked.
func (t *Tab) Click(selector string) {
	t.b.t.Helper()
	t.Await("document.querySelector(" + quoted(selector) + ")")
	var at struct {
		X, Y float64
		Hit  bool
	}
	find := `(() => { const e = document.querySelector(` + quoted(selector) + `); if (!e) return {};
		e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
		const top = document.elementFromPoint(x, y); return {X: x, Y: y, Hit: r.width > 0 && (top === e || e.contains(top))}; })()`
	for deadline := time.Now().Add(patience); !at.Hit; time.Sleep(20 * time.Millisecond) {
		if err := t.Eval(find, &at); err != nil || time.Now().After(deadline) {
			t.b.t.Fatalf("%s cannot be clicked (%v):\n%s", selector, err, t.Text("body"))
		}
	}
	for _, what := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		p := map[string]any{"type": what, "x": at.X, "y": at.Y}
		if what != "mouseMoved" {
			p["button"], p["clickCount"] = "left", 1
		}
		t.must("Input.dispatchMouseEvent", p, nil)
	}
}

// keys are those with a name.
var keys = map[string]struct {
	code int
	text string
}{"Tab": {9, ""}, "Enter": {13, "\r"}, " ": {32, " "}, "Escape": {27, ""}, "ArrowDown": {40, ""}}

// Press presses keys one after the other, by name ("Tab", "Enter", " ").
func (t *Tab) Press(names ...string) {
	t.b.t.Helper()
	for _, name := range names {
		k, ok := keys[name]
		if !ok {
			t.b.t.Fatalf("key %q: unknown", name)
		}
		p := map[string]any{"type": "keyDown", "key": name, "code": name, "windowsVirtualKeyCode": k.code, "text": k.text}
		if name == " " {
			p["code"] = "Space"
		}
		t.must("Input.dispatchKeyEvent", p, nil)
		p["type"] = "keyUp"
		delete(p, "text")
		t.must("Input.dispatchKeyEvent", p, nil)
	}
}

// Type writes where the focus is.
func (t *Tab) Type(text string) { t.must("Input.insertText", map[string]any{"text": text}, nil) }

// TabTo presses Tab until what selector names has the focus.
func (t *Tab) TabTo(selector string) {
	t.b.t.Helper()
	for range 200 {
		there := false
		if err := t.Eval("document.activeElement?.matches("+quoted(selector)+") ?? false", &there); err != nil {
			t.b.t.Fatal(err)
		}
		if there {
			return
		}
		t.Press("Tab")
	}
	t.b.t.Fatalf("200 times Tab, and %s was not reached", selector)
}

// Picture keeps the whole page as a PNG among the test's artifacts and tells
// where.
func (t *Tab) Picture(name string) string {
	t.b.t.Helper()
	var shot struct{ Data string }
	t.must("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "format": "png"}, &shot)
	data, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		t.b.t.Fatal(err)
	}
	path := filepath.Join(t.b.t.ArtifactDir(), strings.ReplaceAll(name, "/", "-")+".png")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.b.t.Fatal(err)
	}
	return path
}

func quoted(text string) string {
	out, err := json.Marshal(text)
	if err != nil { // a string always is JSON
		panic(err)
	}
	return string(out)
}
