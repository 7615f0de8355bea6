package sandbox_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mooring.dev/providers/aws/sandbox"
)

// boto3Python is the first python3 on the PATH that has boto3.
func boto3Python(t *testing.T) string {
	t.Helper()
	onPath(t, "python3")
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "python3")
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if exec.CommandContext(t.Context(), path, "-c", "import boto3").Run() == nil {
			return path
		}
	}
	lacks(t, "no python3 on the PATH has boto3")
	return ""
}

// TestBoto3 runs testdata/boto3/drive.py, a Python test of every service.
func TestBoto3(t *testing.T) {
	if testing.Short() {
		t.Skip("it loads every service's model, and runs functions")
	}
	t.Parallel()
	s := start(t, sandbox.Options{Period: time.Second, Updating: 50 * time.Millisecond})
	command := exec.CommandContext(t.Context(), boto3Python(t), "drive.py")
	command.Dir = filepath.Join("testdata", "boto3")
	command.Env = append(environment(t, s, "alice"), "PYTHONDONTWRITEBYTECODE=1")
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\nOK") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out[bytes.LastIndex(out, []byte("\nRan "))+1:])
}
