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
	shell, err := st.writeShell()
	if err != nil {
		return err
	}
	st.invite(shell)
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
func (st *stage) invite(shell string) {
	fmt.Fprintf(st.o.Out, `
The shop's first release is on its way to preview, and from there on to staging
and production. Watch it on the page:

    http://%s

Play in a second terminal:

    . %s

    mooring status --watch                 where everything stands
    release 1.1                            a good release: a commit on env/preview
    release 1.2-bad                        a release that loses a tenth of the orders
    release 1.3                            the next good one

    # change something by hand, as alice (who these credentials are)
    aws lambda update-function-configuration --function-name production-catalog --environment 'Variables={LOG_LEVEL=debug}'
    aws lambda add-permission --function-name production-checkout --qualifier live --statement-id everybody --action lambda:InvokeFunction --principal '*'
    aws lambda put-function-concurrency --function-name production-checkout --reserved-concurrent-executions 0

    mooring drift --environment production   what differs, who did it, what is done about it
    mooring history --limit 20               what happened
    mooring resume --environment production  take a hold off: what was held is put back
    mooring rollback --environment production --reason "trying it"

The repository is %s (branch env/preview; policies on main).
The daemon's log is %s. Ctrl-C ends the demo.
`, st.daemon.address, shell, st.repo.work, st.daemon.log)
}
