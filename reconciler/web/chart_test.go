package web

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

const chart = "../../charts/mooring"

// described are the metrics there are, with their labels; a histogram under
// the names of its series.
func described(t *testing.T) map[string][]string {
	t.Helper()
	ch := make(chan *prometheus.Desc, 1000)
	NewMetrics("test").registry.Describe(ch)
	close(ch)
	parts := regexp.MustCompile(`fqName: "(mooring_\w+)", help: .*variableLabels: \{([^}]*)\}`)
	out := map[string][]string{}
	for d := range ch {
		m := parts.FindStringSubmatch(d.String())
		if m == nil {
			continue
		}
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
		if strings.HasSuffix(m[1], "_seconds") && !strings.Contains(m[1], "stale") && !strings.Contains(m[1], "oldest") {
			out[m[1]+"_bucket"] = append(slices.Clone(labels), "le")
			out[m[1]+"_sum"], out[m[1]+"_count"] = labels, labels
			continue
		}
		out[m[1]] = labels
	}
	if len(out) < 20 {
		t.Fatalf("only %d metrics were found", len(out))
	}
	return out
}

// asked are the expressions of the chart's alerts and of its dashboard, by
// where they stand.
func asked(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	alerts, err := os.ReadFile(filepath.Join(chart, "alerts", "mooring.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?s)- alert: (\w+)\n\s+expr: ([^\n]+)\n`).FindAllStringSubmatch(string(alerts), -1) {
		out["alert "+m[1]] = m[2]
	}
	if got, want := len(out), strings.Count(string(alerts), "- alert:"); got != want {
		t.Fatalf("%d of %d alerts were read", got, want)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	data, err := os.ReadFile(filepath.Join(chart, "dashboards", "mooring.json"))
	if err == nil {
		err = json.Unmarshal(data, &board)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("the panel %q asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			out["panel "+p.Title+": "+target.Expr] = target.Expr
		}
	}
	for _, v := range board.Templating.List {
		if strings.Contains(v.Query, "(") {
			out["variable "+v.Name] = v.Query
		}
	}
	return out
}

// TestChartAsksForMetricsThereAre: every name and label in the alerts and on
// the dashboard is one that the daemon has, so that none is silently empty.
func TestChartAsksForMetricsThereAre(t *testing.T) {
	known, used := described(t), map[string]bool{}
	name := regexp.MustCompile(`\b(mooring_\w+)(?:\{([^}]*)\})?`)
	matcher := regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouping := regexp.MustCompile(`\bby \(([^)]*)\)`)
	for where, expr := range asked(t) {
		has := []string{"namespace", "job"} // which Prometheus gives
		asks := false
		for _, m := range name.FindAllStringSubmatch(expr, -1) {
			labels, ok := known[m[1]]
			if !ok {
				t.Errorf("%s: no metric %s", where, m[1])
				continue
			}
			used[m[1]], asks = true, true
			has = append(has, labels...)
			for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: %s has no label %s", where, m[1], l[1])
				}
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
			for l := range strings.SplitSeq(g[1], ",") {
				if !slices.Contains(has, strings.TrimSpace(l)) {
					t.Errorf("%s: groups by %s, which nothing in it has", where, l)
				}
			}
		}
		if !asks && !strings.Contains(expr, "mooring_") {
			t.Errorf("%s asks for nothing of Mooring's", where)
		}
	}
	if len(used) < 15 {
		t.Errorf("alerts and dashboard use only %d metrics", len(used))
	}
}
