//go:build !linux

package worker

import (
	"os"
	"os/exec"
)

// confine has nothing but the runtime to hold a worker here: guard ends it
// soon after it has grown over its limit, and it ends itself when its input
// is closed.
func confine(int64) error { return nil }

func program() (string, error) { return os.Executable() }

func attach(*exec.Cmd) {}

func seal() {}

func slay(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // gone already is as good
}
