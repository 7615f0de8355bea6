package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
)

// sound looks at what flags say before anything is opened. All faults are
// told at once.
func (f *runFlags) sound() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if f.sweepShare <= 0 || f.sweepShare > 1 {
		fault("--sweep-share %v: want a share above 0 and up to 1", f.sweepShare)
	}
	if f.poll <= 0 {
		fault("--poll %s: want a time above 0, like 60s", f.poll)
	}
	if f.timeout <= 0 {
		fault("--timeout %s: want a time above 0, like 30m", f.timeout)
	}
	if at, err := url.Parse(f.pageURL); f.pageURL != "" && (err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https") {
		fault("--page-url %q: want an address like https://mooring.example.com", f.pageURL)
	}
	if info, err := os.Stat(f.state); err == nil && !info.IsDir() {
		fault("--state %s: is a file; name a folder, which is made where there is none", f.state)
	}
	return errors.Join(faults...)
}
