// Package demo plays Mooring's story on one machine: a shop's repository, the
// embedded sandbox, real function processes with steady traffic, the daemon,
// and somebody who changes things by hand. It refuses to touch anything
// outside its own folder and loopback.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Options of the demo.
type Options struct {
	Dir    string // "" for a temporary folder
	Listen string // of the daemon's page
	Auto   bool   // play and verify
	Binary string // the mooring to start as the daemon
	Out    io.Writer
}

// Run sets the stage and plays, or lets the user play until ctx ends.
func Run(ctx context.Context, o Options) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st, err := setStage(ctx, o)
	if st != nil {
		defer func() { err = errors.Join(err, st.strike()) }()
	}
	if err != nil {
		return err
	}
	if o.Auto {
		return st.play(ctx)
	}
	if _, err := st.repo.publish(ctx); err != nil {
		return err
	}
	st.invite()
	select {
	case <-ctx.Done():
		return nil
	case err := <-st.daemon.ended:
		return fmt.Errorf("the daemon ended: %w; its log is %s", err, st.daemon.log)
	}
}

// stage is everything the acts are played on.
type stage struct {
	o       Options
	dir     string
	temp    bool
	started time.Time
	cloud   *cloud
	repo    *repository
	daemon  *daemon
	traffic *traffic
}

// setStage builds the functions and starts everything.
func setStage(ctx context.Context, o Options) (*stage, error) {
	st := &stage{o: o, dir: o.Dir, started: time.Now()}
	if st.dir == "" {
		dir, err := os.MkdirTemp("", "mooring-demo-")
		if err != nil {
			return nil, fmt.Errorf("make a folder for the demo: %w", err)
		}
		st.dir, st.temp = dir, true
	}
	if entries, err := os.ReadDir(st.dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; the demo wants a folder of its own (--dir)", st.dir)
	}
	st.say("building the shop's functions …")
	builds, err := build(ctx, st.dir)
	if err != nil {
		return st, err
	}
	if st.cloud, err = openCloud(ctx, filepath.Join(st.dir, "cloud")); err != nil {
		return st, err
	}
	if st.repo, err = makeRepository(ctx, st.dir, builds); err != nil {
		return st, err
	}
	if st.daemon, err = startDaemon(ctx, st); err != nil {
		return st, err
	}
	st.traffic = sendTraffic(ctx, st.cloud.url())
	return st, nil
}

// strike ends everything and removes what was temporary.
func (st *stage) strike() error {
	var errs []error
	if st.traffic != nil {
		st.traffic.stop()
	}
	if st.daemon != nil {
		errs = append(errs, st.daemon.stop())
	}
	if st.cloud != nil {
		errs = append(errs, st.cloud.close())
	}
	if st.temp {
		errs = append(errs, os.RemoveAll(st.dir))
	}
	return errors.Join(errs...)
}

// say prints one line with the time since the start.
func (st *stage) say(format string, args ...any) {
	fmt.Fprintf(st.o.Out, "%6.1fs  %s\n", time.Since(st.started).Seconds(), fmt.Sprintf(format, args...))
}

// invite prints what to try.
func (st *stage) invite() {
	aws := fmt.Sprintf("AWS_ENDPOINT_URL=%s AWS_REGION=%s AWS_ACCESS_KEY_ID=alice AWS_SECRET_ACCESS_KEY=any", st.cloud.url(), region)
	lines := []string{
		"",
		"The page:        http://" + st.daemon.address,
		"Status:          mooring status --watch --server http://" + st.daemon.address,
		"The repository:  " + st.repo.work + "  (push to env/preview; it is promoted by itself)",
		"",
		"A good release:  cd " + st.repo.work + " && git checkout env/preview && sed -i 's/checkout-[^ ]*.zip/checkout-1.1.zip/; s/sha256:.*/" + st.repo.builds["checkout-1.1"].digest + "/' functions/checkout.yaml && git commit -am 'checkout 1.1' && git push",
		"A bad release:   the same with checkout-1.2-bad.zip and " + st.repo.builds["checkout-1.2-bad"].digest,
		"",
		"Change something by hand, as somebody else:",
		"  export " + aws,
		"  aws lambda update-function-configuration --function-name production-checkout --memory-size 512",
		"  aws lambda add-permission --function-name production-checkout --qualifier live --statement-id open --action lambda:InvokeFunction --principal '*'",
		"  aws lambda put-function-concurrency --function-name production-checkout --reserved-concurrent-executions 0",
		"  mooring drift --environment production --server http://" + st.daemon.address,
		"",
		"The daemon's log: " + st.daemon.log,
		"Ctrl-C ends the demo.",
	}
	fmt.Fprintln(st.o.Out, strings.Join(lines, "\n"))
}
