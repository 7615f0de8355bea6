//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalSize is how many characters and lines a terminal shows; zeros where
// f is none, or does not say.
func terminalSize(f *os.File) (width, height int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	return int(size.Col), int(size.Row)
}
