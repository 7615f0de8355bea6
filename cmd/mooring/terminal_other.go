//go:build !unix

package main

import "os"

// terminalSize cannot be told here.
func terminalSize(*os.File) (width, height int) { return 0, 0 }
