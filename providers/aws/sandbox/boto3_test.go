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

// TestBoto3 runs the Python tests of testdata/boto3: drive.py of every service
// as people use it, kinds.py of each kind that stands around functions.
func TestBoto3(t *testing.T) {
	if testing.Short() {
		t.Skip("it loads every service's model, and runs functions")
	}
	for program, options := range map[string]sandbox.Options{
		"drive.py": {Period: time.Second, Updating: 50 * time.Millisecond},
		"kinds.py": {}, // what is deleted goes at once
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			s := start(t, options)
			command := exec.CommandContext(t.Context(), boto3Python(t), program)
			command.Dir = filepath.Join("testdata", "boto3")
			command.Env = append(environment(t, s, "alice"), "PYTHONDONTWRITEBYTECODE=1")
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "\nOK") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out[bytes.LastIndex(out, []byte("\nRan "))+1:])
		})
	}
}
