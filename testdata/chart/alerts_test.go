package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAlertsFire has promtool play recorded series to the chart's alerts.
func TestAlertsFire(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("promtool (Debian's package prometheus) is not on this machine: no series is played to the alerts")
	}
	dir := t.TempDir()
	for from, to := range map[string]string{"alerts.yaml": "alerts.yaml", chartDir + "/alerts/mooring.yaml": "rules.yaml"} {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	play := exec.CommandContext(t.Context(), promtool, "test", "rules", "alerts.yaml")
	play.Dir = dir
	if out, err := play.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
