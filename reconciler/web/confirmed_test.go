package web

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// drifted is a daemon with differences and a release that is paused.
type drifted struct {
	*shelved
	drift Drift
}

func (d drifted) Drift(context.Context, string) (Drift, error) { return d.drift, nil }

// Resource has the difference too.
func (d drifted) Resource(context.Context, string, string) (ResourceDetail, error) {
	return ResourceDetail{ResourceStatus: d.resources[0], Items: d.drift.Items}, nil
}

// shownDrift is the page of an environment with one difference, and with all that
// can be done there, and that of the resource.
func shownDrift(t *testing.T, live any) (environment, resource string) {
	t.Helper()
	d := drifted{shop(3), Drift{Items: []DriftItem{{ID: "i1", Resource: "Function/f00000", Path: "description", Kind: "changed", Declared: "info", Live: live, Confirmed: true}}}}
	d.status.Environments[0].Rollout = RolloutStatus{Stages: 2, Paused: "by ann"}
	d.status.Environments[0].After = []string{"staging"}
	d.status.Environments[0].Holds = []HoldStatus{{ID: "hold_1", Kind: "manual", Owner: "ann", Reason: "incident", Since: time.Now()}}
	h := serve(t, &d.fake, func(o *Options) { o.View = d })
	return ask(h, "GET", "/environments/preview", "", "Authorization", "Bearer the-token").Body.String(),
		ask(h, "GET", "/environments/preview/resources/Function%2Ff00000", "", "Authorization", "Bearer the-token").Body.String()
}

// Whatever the page has done is confirmed first: each form that acts is folded
// away, and asks why.
func TestEveryActIsConfirmed(t *testing.T) {
	environment, resource := shownDrift(t, "debug")
	body := environment + resource
	folded, form := regexp.MustCompile(`(?s)<details class="act".*?</details>`), regexp.MustCompile(`(?s)<form.*?</form>`)
	if rest := folded.ReplaceAllString(body, ""); strings.Contains(rest, "/act/") {
		t.Errorf("done at a press: %s", form.FindString(rest[strings.Index(rest, "/act/")-200:]))
	}
	forms := 0
	for _, f := range form.FindAllString(strings.Join(folded.FindAllString(body, -1), ""), -1) {
		if forms++; !strings.Contains(f, `name="reason"`) {
			t.Errorf("done without a reason: %s", f)
		}
	}
	if forms != 14 {
		t.Errorf("%d forms: %s", forms, body)
	}
}

// A value that is too long for a row is folded, and whole below.
func TestLongValuesAreWhole(t *testing.T) {
	long := strings.Repeat("größe-", 60)
	for _, c := range []struct {
		in    any
		brief bool
		whole string
	}{{"info", false, "info"}, {nil, false, "–"}, {map[string]any{"a": 1.5}, false, `{"a":1.5}`}, {long, true, long}} {
		text := valueText(c.in)
		short := brief(text)
		if text != c.whole || (short != "") != c.brief || !utf8.ValidString(short) || len(short) > mostOfValue+len("…") {
			t.Errorf("%v: %q, in a row %q", c.in, text, short)
		}
	}
	environment, resource := shownDrift(t, long)
	if !strings.Contains(environment, "<code>"+brief(long)+"</code> <a href=\"/environments/preview/resources/Function%2Ff00000#i1\">") || strings.Contains(environment, long) || !strings.Contains(environment, "<code>info</code>") {
		t.Errorf("the environment does not lead to the whole of it: %s", environment)
	}
	if !strings.Contains(resource, "<pre><code>"+long+"</code>") {
		t.Errorf("the resource does not have the whole of it: %s", resource)
	}
}
