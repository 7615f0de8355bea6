//go:build unix

package bolt

import (
	"errors"
	"os"
	"syscall"
	"time"

	"mooring.dev/reconciler/journal"
)

// lock takes the lock that bbolt takes; closing the file frees it.
func lock(file *os.File, timeout time.Duration) error {
	const again = 25 * time.Millisecond
	for waited := time.Duration(0); ; waited += again {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return err
		case waited >= timeout:
			return journal.ErrLocked
		}
		time.Sleep(again)
	}
}
