package main

import (
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// toTheSandbox: the first AWS CLI asks SQS at AWS whatever the environment says.
const toTheSandbox = `aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }; `

// cmdFollow does what the doctor has just printed, to the letter: follow
// CHECK[:SCOPE] …. Commands run in a shell, as somebody who may do everything.
func cmdFollow(ts *testscript.TestScript, neg bool, args []string) {
	_, printed, _ := strings.Cut(ts.ReadFile("stdout"), "\nWhat to do, as commands:\n")
	lines := strings.Split(printed, "\n")
	before, home := ts.Getenv("AWS_ACCESS_KEY_ID"), ts.Getenv("HOME")
	ts.Setenv("AWS_ACCESS_KEY_ID", "root")
	ts.Setenv("HOME", os.Getenv("HOME")) // for the AWS CLI, which is not ours
	for _, arg := range args {
		at := slices.Index(lines, "# "+strings.Replace(arg, ":", " of ", 1))
		if at < 0 || at+1 == len(lines) {
			ts.Fatalf("the doctor printed no command for %s:\n%s", arg, printed)
		}
		ts.Logf("following: %s", lines[at+1])
		if err := ts.Exec("bash", "-c", toTheSandbox+lines[at+1]); (err != nil) != neg {
			ts.Fatalf("%s: %v", lines[at+1], err)
		}
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", before)
	ts.Setenv("HOME", home)
}
