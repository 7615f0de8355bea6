package lambda_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// await polls for what another process or goroutine does.
func await(t *testing.T, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-ticker.C {
		if done() {
			return
		}
	}
	t.Fatal("it did not happen within 20 seconds")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// running says whether a process is alive; a zombie that nobody reaped is not.
func running(pid string) bool {
	if _, err := strconv.Atoi(pid); err != nil {
		return false
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}

// printed are the lines a function wrote that start with a word.
func (w *world) printed(function, word string) string {
	var out []string
	for _, l := range w.service.Logs(function) {
		if strings.HasPrefix(l.Text, word) {
			out = append(out, l.Text)
		}
	}
	return strings.Join(out, "\n")
}
