package runtime_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mooring.dev/providers/aws/sandbox/lambda/runtime"
)

func TestFunctionsDieWithAProcessThatIsKilled(t *testing.T) {
	newHost(t, runtime.Options{}) // asks for python3
	dir := t.TempDir()
	source := "import os, time\ndef handler(e, c):\n    open(%[1]q + '.part', 'w').write(str(os.getpid()))\n    os.rename(%[1]q + '.part', %[1]q)\n    time.sleep(3600)\n"
	marker := filepath.Join(dir, "pid")
	if err := os.WriteFile(filepath.Join(dir, "app.py"), fmt.Appendf(nil, source, marker), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { _, err := os.Stat(marker); return err == nil })
	pid, err := os.ReadFile(marker)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as asked
	await(t, func() bool {
		status, err := os.ReadFile("/proc/" + string(pid) + "/status")
		return err != nil || strings.Contains(string(status), "State:\tZ")
	})
}
