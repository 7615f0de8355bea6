package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mooring.dev/reconciler/web"
)

// daemon is a `mooring run` of its own, so that it can be killed.
type daemon struct {
	st      *stage
	address string
	log     string
	cmd     *exec.Cmd
	ended   chan error
}

func startDaemon(ctx context.Context, st *stage) (*daemon, error) {
	address, err := freeAddress(ctx, st.o.Listen)
	if err != nil {
		return nil, err
	}
	d := &daemon{st: st, address: address, log: filepath.Join(st.dir, "daemon.log")}
	if err := d.start(ctx); err != nil {
		return nil, err
	}
	return d, d.awaitReady(ctx)
}

// freeAddress is the one wanted, or any free port beside it when it is taken.
func freeAddress(ctx context.Context, want string) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", want)
	if err != nil {
		host, _, splitErr := net.SplitHostPort(want)
		if splitErr != nil {
			return "", fmt.Errorf("--listen %q: %w", want, splitErr)
		}
		if l, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
			return "", fmt.Errorf("listen: %w", err)
		}
	}
	address := l.Addr().String()
	return address, l.Close()
}

// start runs the daemon; after a kill it is the restart.
func (d *daemon) start(ctx context.Context) error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the daemon's log: %w", err)
	}
	d.cmd = exec.CommandContext(ctx, d.st.o.Binary, "run", "--repo", d.st.repo.bare, "--state", filepath.Join(d.st.dir, "state"),
		"--artifacts", filepath.Join(d.st.dir, "artifacts"), "--listen", d.address, "--insecure-loopback", "--log-format", "console")
	d.cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+d.st.cloud.url(), "AWS_REGION="+region, "AWS_ACCESS_KEY_ID="+keyMooring,
		"AWS_SECRET_ACCESS_KEY=any", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	d.cmd.WaitDelay = 10 * time.Second
	if err := d.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start the daemon: %w", err), log.Close())
	}
	d.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan<- error) {
		err := cmd.Wait()
		ended <- errors.Join(err, log.Close())
	}(d.cmd, d.ended)
	return nil
}

// kill ends the daemon as a power cut would.
func (d *daemon) kill() error {
	if err := d.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the daemon: %w", err)
	}
	<-d.ended
	return nil
}

func (d *daemon) stop() error {
	select {
	case <-d.ended:
		return nil
	default:
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the daemon: %w", err)
	}
	select {
	case <-d.ended:
		return nil
	case <-time.After(15 * time.Second):
		return d.kill()
	}
}

func (d *daemon) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if _, err := d.status(ctx); err == nil {
			return nil
		}
		select {
		case err := <-d.ended:
			d.ended <- err
			return fmt.Errorf("the daemon ended at once; its log is %s:\n%s", d.log, tail(d.log))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("the daemon does not answer; its log is %s:\n%s", d.log, tail(d.log))
}

func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-4000):])
}

// status asks the daemon where everything stands.
func (d *daemon) status(ctx context.Context) (web.Status, error) {
	var s web.Status
	return s, d.get(ctx, "/api/v1/status", &s)
}

func (d *daemon) drift(ctx context.Context, environment string) (web.Drift, error) {
	var v web.Drift
	return v, d.get(ctx, "/api/v1/environments/"+environment+"/drift", &v)
}

func (d *daemon) history(ctx context.Context, environment string) ([]web.Event, error) {
	var v []web.Event
	return v, d.get(ctx, "/api/v1/history?limit=500&environment="+environment, &v)
}

// act posts to the daemon what a person would with the command line.
func (d *daemon) act(ctx context.Context, path, body string) error {
	return d.call(ctx, http.MethodPost, path, body, nil)
}

func (d *daemon) get(ctx context.Context, path string, into any) error {
	return d.call(ctx, http.MethodGet, path, "", into)
}

func (d *daemon) call(ctx context.Context, method, path, body string, into any) error {
	var payload io.Reader
	if body != "" {
		payload = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.address+path, payload)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Timeout: 15 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, data)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(data, into)
}
