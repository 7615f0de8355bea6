package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
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

// 43: a full disk refuses the append, says so, and loses nothing.
func TestDiskFull(t *testing.T) {
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
