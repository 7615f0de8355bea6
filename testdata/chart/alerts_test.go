package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestAlertsFire has promtool play recorded series to the chart's alerts.
func TestAlertsFire(t *testing.T) {
	rules, err := os.ReadFile(chartDir + "/alerts/mooring.yaml")
	if err != nil {
		t.Fatal(err)
	}
	played(t, "alerts.yaml", rules)
}

// TestInstallationsAreToldApart plays the series of two releases to the rules
// that the chart makes for one of them.
func TestInstallationsAreToldApart(t *testing.T) {
	rendered, err := render(valuesOf(t, "production"))
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal([]byte(rendered["mooring/templates/prometheusrule.yaml"]), &object); err != nil {
		t.Fatal(err)
	}
	rules, err := yaml.Marshal(object.Spec)
	if err != nil {
		t.Fatal(err)
	}
	played(t, "alerts-of-two.yaml", rules)
}

// played has promtool play the series of a file to rules.
func played(t *testing.T, series string, rules []byte) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("promtool (Debian's package prometheus) is not on this machine: no series is played to the alerts")
	}
	dir := t.TempDir()
	text, err := os.ReadFile(series)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"alerts.yaml": text, "rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	play := exec.CommandContext(t.Context(), promtool, "test", "rules", "alerts.yaml")
	play.Dir = dir
	if out, err := play.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
