package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mooring.dev/reconciler/journal"
	"mooring.dev/reconciler/journal/bolt"
)

// The test binary is also the daemon that is killed.
func TestMain(m *testing.M) {
	switch os.Getenv("JOURNAL_CHILD") {
	case "append":
		os.Exit(child(appendForever))
	case "full":
		os.Exit(child(appendUntilFull))
	case "read-only":
		os.Exit(child(openReadOnly))
	}
	os.Exit(m.Run())
}

func child(run func(path string) error) int {
	if err := run(os.Getenv("JOURNAL_PATH")); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// appendForever says the number of each batch once it was answered.
func appendForever(path string) error {
	s, fence, err := acquire(path)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		id := fmt.Sprint(i)
		if err := s.Append(ctx(), fence, hold(id+"a"), hold(id+"b"), hold(id+"c")); err != nil {
			return err
		}
		fmt.Println("acked", i)
	}
}

// appendUntilFull runs into a limit on the size of files, which fails writes
// as a full disk does.
func appendUntilFull(path string) error {
	s, fence, err := acquire(path)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	const limit = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	big := strings.Repeat("x", 8<<10)
	for i := 0; ; i++ {
		r := hold(fmt.Sprint(i))
		r.Hold.Reason = big
		if err := s.Append(ctx(), fence, r, r); err != nil {
			fmt.Println("full", i, errors.Is(err, syscall.EFBIG), err)
			if err := s.Append(ctx(), fence, r, r); err == nil {
				return errors.New("appended to a full disk")
			}
			return s.Close()
		}
		fmt.Println("acked", i)
	}
}

// openReadOnly is somebody who may read the journal and not write it.
func openReadOnly(path string) error {
	if os.Getuid() == 0 { // root may write whatever a mode says
		const nobody = 65534
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			return err
		}
	}
	_, err := bolt.Open(path)
	fmt.Println("opened", errors.Is(err, fs.ErrPermission), err)
	return nil
}

func ctx() context.Context { return context.Background() }

func acquire(path string) (*bolt.Store, journal.Fence, error) {
	s, err := bolt.Open(path)
	if err != nil {
		return nil, 0, err
	}
	fence, err := s.Acquire(ctx(), "child")
	return s, fence, err
}

func start(t *testing.T, mode, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	binary, err := os.Executable()
	must(t, err)
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "JOURNAL_CHILD="+mode, "JOURNAL_PATH="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return cmd, bufio.NewScanner(out)
}

// acked reads lines until the child has answered so many batches.
func acked(t *testing.T, lines *bufio.Scanner, until int) (last int) {
	t.Helper()
	last = -1
	for lines.Scan() {
		number, is := strings.CutPrefix(lines.Text(), "acked ")
		if !is {
			t.Log(lines.Text())
			continue
		}
		n, err := strconv.Atoi(number)
		must(t, err)
		last = n
		if until >= 0 && n >= until {
			break
		}
	}
	return last
}

// Killed in the middle of appends: every batch that was answered is there,
// whole, and nothing is there in part.
func TestKilledWhileAppending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	batches := 0
	for round := range 5 {
		cmd, lines := start(t, "append", path)
		last := acked(t, lines, 5+7*round)
		must(t, cmd.Process.Kill())
		if rest := acked(t, lines, -1); rest > last {
			last = rest
		}
		_ = cmd.Wait() // it was killed
		recs, err := whole(t, path)
		must(t, err)
		leases := round + 1
		if got := len(recs) - leases; got%3 != 0 || got/3 < batches+last+1 || got/3 > batches+last+2 {
			t.Fatalf("round %d: %d records of batches of 3, answered were %d batches", round, got, batches+last+1)
		} else {
			batches = got / 3
		}
		for i, rec := range recs {
			if rec.Seq != journal.Seq(i+1) {
				t.Fatalf("round %d: record %d has number %d", round, i+1, rec.Seq)
			}
		}
	}
}

// TestLesson43DiskFull: a full disk refuses the append, says so, and loses nothing.
func TestLesson43DiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	cmd, lines := start(t, "full", path)
	last, full := -1, ""
	for lines.Scan() {
		if n, is := strings.CutPrefix(lines.Text(), "acked "); is {
			number, err := strconv.Atoi(n)
			must(t, err)
			last = number
		} else {
			full = lines.Text()
		}
	}
	must(t, cmd.Wait())
	if !strings.HasPrefix(full, "full ") || !strings.Contains(full, path) || last < 2 {
		t.Fatalf("after %d batches: %q", last+1, full)
	}
	recs, err := whole(t, path)
	must(t, err)
	if got := len(recs) - 1; got != 2*(last+1) {
		t.Errorf("%d records, want the %d that were answered", got, 2*(last+1))
	}
}

// TestLesson43ReadOnly: what may not be written is refused, with what to do, and
// stays as it is; and where nothing may be written nothing is begun.
func TestLesson43ReadOnly(t *testing.T) {
	dir, err := os.MkdirTemp("", "journal-") // t.TempDir is of nobody else's to enter
	must(t, err)
	t.Cleanup(func() { must(t, errors.Join(os.Chmod(dir, 0o700), os.RemoveAll(dir))) })
	filledAt, _ := filled(t)
	data, err := os.ReadFile(filledAt)
	must(t, err)
	path := filepath.Join(dir, "journal.db")
	must(t, os.WriteFile(path, data, 0o600))
	must(t, errors.Join(os.Chmod(path, 0o444), os.Chmod(dir, 0o555)))
	for _, name := range []string{path, filepath.Join(dir, "none.db")} {
		cmd, lines := start(t, "read-only", name)
		said := ""
		for lines.Scan() {
			said += lines.Text()
		}
		must(t, cmd.Wait())
		if !strings.HasPrefix(said, "opened true") || !strings.Contains(said, name) || !strings.Contains(said, "must be able to write") {
			t.Errorf("%s: %q", name, said)
		}
	}
	after, err := os.ReadFile(path)
	must(t, err)
	entries, err := os.ReadDir(dir)
	must(t, err)
	if string(after) != string(data) || len(entries) != 1 {
		t.Errorf("it changed, or %d files lie there", len(entries))
	}
}

// What takes over while the file is open in this process ends the older one.
func TestOpenWithinTheLock(t *testing.T) {
	path, recs := filled(t)
	began := time.Now()
	s, err := bolt.Open(path)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("opening %d records took %s", len(recs), took)
	}
	old, err := s.Acquire(t.Context(), "a")
	must(t, err)
	newer, err := s.Acquire(t.Context(), "b")
	must(t, err)
	if err := s.Append(t.Context(), old, hold("x")); !errors.Is(err, journal.ErrFenced) {
		t.Errorf("the older owner appended: %v", err)
	}
	must(t, s.Append(t.Context(), newer, hold("y")))
}
