package worker

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// asWorker is Main, or a worker that misbehaves as its last argument says.
func asWorker(args []string) int {
	switch how := args[len(args)-1]; {
	case !strings.HasPrefix(how, "be="):
		return Main(args)
	case how == "be=silent":
		time.Sleep(time.Hour)
	case how == "be=another-version":
		if err := write(os.Stdout, hello{Protocol: protocol + 1}); err != nil {
			return 1
		}
		time.Sleep(time.Hour)
	case how == "be=babbling":
		for {
			fmt.Println("what a nice day it is")
		}
	}
	return 3
}
