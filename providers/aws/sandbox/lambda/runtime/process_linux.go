package runtime

import (
	"os/exec"
	"syscall"
)

// isolate gives the process a group of its own, so that all it starts can be
// ended, and ties its life to this process.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL) // gone already is as good
}
