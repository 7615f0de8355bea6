package worker

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// The numbers of Linux that package syscall has no names for.
const (
	prSetNoNewPrivs = 38
	rlimitNone      = 0
)

// overhead is what the program takes beside what it is allowed for policies:
// its own data, and room for the runtime to reserve in.
const overhead = 128 << 20

// confine has the kernel refuse what a worker never needs: memory over the
// limit, files and sockets of any kind, writing, core dumps and privileges;
// and has it run after everybody else, and be the first to go when the machine
// runs out of memory.
func confine(memory int64) error {
	limits := []struct {
		what  string
		which int
		most  uint64
	}{
		// RLIMIT_DATA counts what may be written to; RLIMIT_AS would count the
		// address space that Go reserves and never uses.
		{"memory", syscall.RLIMIT_DATA, uint64(memory) + overhead},
		{"written files", syscall.RLIMIT_FSIZE, rlimitNone},
		{"core dumps", syscall.RLIMIT_CORE, rlimitNone},
		{"open files", syscall.RLIMIT_NOFILE, rlimitNone}, // pipes that are open stay so
	}
	// Neither of these is worth failing for: they only make it kinder.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0)
	_ = syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness) // each thread has its own
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("limit privileges: %w", errno)
	}
	for _, l := range limits {
		if err := syscall.Setrlimit(l.which, &syscall.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("limit %s: %w", l.what, err)
		}
	}
	return nil
}

const niceness = 5

// program is this very program, even if its file has been replaced since.
func program() (string, error) { return "/proc/self/exe", nil }

// attach makes cmd a process group of its own that dies with this process: no
// worker outlives the daemon, however that ends.
func attach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// seal keeps descriptors that this process was itself given from going on to a
// worker; what Go opens is sealed already.
func seal() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // without /proc there are no names to go by
	}
	for _, fd := range open {
		if n, err := strconv.Atoi(fd.Name()); err == nil && n > 2 {
			syscall.CloseOnExec(n)
		}
	}
}

// slay kills the process and whatever group it has made.
func slay(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone already is as good
}
