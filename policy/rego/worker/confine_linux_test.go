package worker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring.dev/policy"
)

// resident is what this process takes, in bytes.
func resident(t testing.TB) int64 { return kilobytes(t, "self", "VmRSS") << 10 }

func kilobytes(t testing.TB, process, field string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", process, "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", field)
	return 0
}

// childrenPeak is the most that any ended worker took, in bytes.
func childrenPeak(t testing.TB) int64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return u.Maxrss << 10
}

// pids are the idle workers.
func pids(p *Pool) []int {
	p.regular.mu.Lock()
	defer p.regular.mu.Unlock()
	var out []int
	for _, proc := range p.regular.rest {
		out = append(out, proc.cmd.Process.Pid)
	}
	return out
}

// A worker knows nothing of this process, and can reach nothing.
func TestWorkerIsConfined(t *testing.T) {
	kernelLimited(t)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	extra, err := os.Open(os.Args[0]) // a descriptor it must not get
	if err != nil {
		t.Fatal(err)
	}
	defer extra.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, extra.Fd(), syscall.F_SETFD, 0); errno != 0 {
		t.Fatal(errno) // it would be inherited now
	}
	pool := newPool(t, Options{Memory: 256 << 20})
	p := load(t, pool, admission("x", yes))
	if _, err := ask(t, p, policy.Admission, question("staging")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join("/proc", strconv.Itoa(pids(pool)[0]))
	if env, err := os.ReadFile(filepath.Join(dir, "environ")); err != nil || len(env) != 0 {
		t.Errorf("environment %q, %v", env, err)
	}
	if cwd, err := os.Readlink(filepath.Join(dir, "cwd")); err != nil || cwd != "/" {
		t.Errorf("it stands in %s, %v", cwd, err)
	}
	open, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if err != nil || !strings.HasPrefix(to, "pipe:") && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup") && !strings.HasPrefix(to, "/proc/") {
			t.Errorf("descriptor %s is %s, %v", fd.Name(), to, err)
		}
	}
	limits, err := os.ReadFile(filepath.Join(dir, "limits"))
	if err != nil {
		t.Fatal(err)
	}
	for what, most := range map[string]int{"Max open files": 0, "Max file size": 0, "Max core file size": 0, "Max data size": 256<<20 + overhead} {
		if !slices.ContainsFunc(strings.Split(string(limits), "\n"), func(line string) bool {
			value, ok := strings.CutPrefix(line, what)
			return ok && strings.Fields(value)[0] == strconv.Itoa(most) && strings.Fields(value)[1] == strconv.Itoa(most)
		}) {
			t.Errorf("%s is not %d:\n%s", what, most, limits)
		}
	}
	tasks, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(filepath.Join(dir, "task", task.Name(), "stat"))
		if err != nil {
			continue // a thread that has ended
		}
		_, after, _ := strings.Cut(string(stat), ") ")
		if nice := strings.Fields(after)[16]; nice != strconv.Itoa(niceness) {
			t.Errorf("thread %s has niceness %s", task.Name(), nice)
		}
	}
}

// However the daemon ends, no worker outlives it: not one at rest, and not one
// that is deep in a built-in.
func TestNoWorkerOutlivesItsDaemon(t *testing.T) {
	daemon := exec.Command("/proc/self/exe", "-test.run=^TestHelperDaemon$")
	daemon.Env = append(os.Environ(), "HELPER_DAEMON=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	var workers []string
	for lines := bufio.NewScanner(out); len(workers) < 2 && lines.Scan(); {
		if pid, ok := strings.CutPrefix(lines.Text(), "worker "); ok {
			workers = append(workers, pid)
		}
	}
	if len(workers) != 2 {
		t.Fatalf("workers %v", workers)
	}
	for _, pid := range workers {
		if !alive(pid) {
			t.Errorf("worker %s ended before", pid)
		}
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait() // it was killed
	for _, pid := range workers {
		for end := time.Now().Add(10 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("worker %s outlives its daemon", pid)
			}
		}
	}
}

// alive: the process is there, and no corpse waiting to be reaped.
func alive(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// TestHelperDaemon is the daemon of TestNoWorkerOutlivesItsDaemon: one worker
// at rest, one at work without end.
func TestHelperDaemon(t *testing.T) {
	if os.Getenv("HELPER_DAEMON") == "" {
		t.Skip("it is started by TestNoWorkerOutlivesItsDaemon")
	}
	pool := newPool(t, Options{})
	busy := load(t, pool, hostileIn("production", hostile["squares"]))
	fmt.Printf("worker %d\n", pids(pool)[0])
	go busy.Evaluate(context.Background(), policy.Admission, question("production")) //nolint:errcheck // it is killed
	for len(pids(pool)) > 0 {
		time.Sleep(time.Millisecond)
	}
	load(t, pool, admission("idle", yes))
	fmt.Printf("worker %d\n", pids(pool)[0])
	time.Sleep(time.Hour)
}

// Workers that ended are reaped.
func TestNoZombies(t *testing.T) {
	pool := newPool(t, Options{Workers: 2, Evaluator: quick})
	p := load(t, pool, hostileIn("production", hostile["cross product"]))
	first := pids(pool)
	for range 3 {
		if _, err := ask(t, p, policy.Admission, question("production")); err == nil {
			t.Fatal("it decided")
		}
	}
	pool.Close()
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(first[0]))); err == nil {
		t.Errorf("process %d is there still", first[0])
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child %d was not reaped: %v", pid, err)
	}
}
