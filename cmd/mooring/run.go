package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/identity"
	"mooring.dev/reconciler/journal/bolt"
	"mooring.dev/reconciler/trace/otlp"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources/reread"
)

type runFlags struct {
	place
	listen       string
	tls          tlsFlags
	tokenFile    string
	pageURL      string
	environments []string
	once         bool
	output       string // of once
	readOnly     bool
	sweepShare   float64
	timeout      time.Duration
	insecure     bool
	openMetrics  bool
	logFormat    string
	verbose      bool
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "the daemon: reconcile every environment of a repository",
		Example: `  mooring run --repo /srv/git/shop.git --state /var/lib/mooring
  mooring run --repo https://git.example.com/shop.git --environment production
  mooring run --repo shop.git --read-only            # tells what differs from Git, and changes nothing
  mooring run --repo shop.git --once --timeout 10m   # until nothing moves; exits by outcome`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	return cmd
}

func (f *runFlags) flags(cmd *cobra.Command) {
	f.place.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8420", "address of the page, the API and the metrics")
	f.tls.flags(flags)
	flags.StringVar(&f.tokenFile, "token-file", "", "file with the daemon's own token, 24 characters or more (default: token in the state folder, made at the first start)")
	flags.StringVar(&f.pageURL, "page-url", "", "where people reach the page: for links in alerts, and for issuers to send people back to, which takes https (default: the address of --listen)")
	flags.StringVar(&f.signingKey, "signing-key", "", "private SSH key file, without passphrase, that signs the commits promotions make")
	flags.DurationVar(&f.poll, "poll", time.Minute, "how often the repository is asked at least")
	flags.StringSliceVar(&f.environments, "environment", nil, "only these environments (repeat or separate by commas)")
	flags.BoolVar(&f.once, "once", false, "make passes until nothing moves, then exit by outcome")
	flags.Float64Var(&f.sweepShare, "sweep-share", sweepShare, "the share of each of the account's API rates that looking takes at most, 0..1; releases come first")
	flags.BoolVar(&f.readOnly, "read-only", false, "only look: what each branch declares is compared with what lives and told; nothing is written to cloud or repository")
	outputFlag(cmd, &f.output)
	flags.Lookup("output").Usage = "how --once tells what came of it: table, json or yaml"
	flags.DurationVar(&f.timeout, "timeout", 30*time.Minute, "how long --once may take")
	flags.BoolVar(&f.insecure, "insecure-loopback", false, "let everybody on this machine use the page and the API without a token")
	flags.BoolVar(&f.openMetrics, "open-metrics", false, "serve /metrics to other machines too")
	flags.StringVar(&f.logFormat, "log-format", "auto", "json, console, or auto (console on a terminal)")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log at debug level")
}

func (f *runFlags) run(cmd *cobra.Command) error {
	if err := f.sound(); err != nil {
		return err
	}
	log, err := newLogger(f.logFormat, f.verbose)
	if err != nil {
		return err
	}
	defer func() { _ = log.Sync() }() // a terminal cannot be synced; nothing to do about it
	asked, deaf := hangups(!f.once)
	defer deaf()
	f.files = newFiles(cmd.Context(), log)
	metrics := web.NewMetrics(version)
	tokens, err := tokenKey(f.state)
	if err != nil {
		return err
	}
	instance := instanceName()
	traces, err := openTraces(cmd.Context(), instance, metrics, log)
	if err != nil {
		return err
	}
	defer closeTraces(cmd.Context(), traces)
	platforms := &platforms{
		place: &f.place, instance: instance, traced: traces != nil, tokens: tokens, quota: quota.New(rates(f.sweepShare)), onCall: metrics.CloudCall, hearing: aws.NewHearing(), readOnly: f.readOnly,
	}
	opts, err := f.options(log, platforms)
	if err != nil {
		return err
	}
	store, err := bolt.Open(filepath.Join(f.state, "journal.db"))
	if err != nil {
		return err
	}
	if up := store.Upgraded(); up != nil {
		log.Warn("the journal was taken to a newer format; versions before refuse it, and read the copy that was kept",
			zap.Uint64("from", up.From), zap.Uint64("to", up.To), zap.Strings("changes", up.What), zap.String("kept", up.Kept))
	}
	defer func() {
		if err := store.Close(); err != nil {
			log.Error("journal could not be closed", zap.Error(err))
		}
	}()
	workers, err := policyWorkers(log)
	if err != nil {
		return err
	}
	defer workers.Close()
	opts.Tracer = tracer(traces)
	opts.PageURL = cmp.Or(f.pageURL, f.address())
	opts.Store, opts.Environments, opts.Metrics, opts.Policies = store, f.environments, metrics, within(cmd.Context(), workers)
	daemon, err := reconciler.New(cmd.Context(), opts)
	if err != nil {
		return err
	}
	if f.once {
		return f.runOnce(cmd, daemon)
	}
	r := &reloading{files: f.files, daemon: daemon, log: log, tell: supervised(os.LookupEnv, os.Getpid(), log).tell}
	return f.serve(cmd.Context(), daemon, metrics, &watch{
		traces: traces, quota: platforms.quota, metrics: metrics, log: log, reloads: func(ctx context.Context) { r.on(ctx, asked) },
	})
}

// address is where the page will be; "" where only the listener will know.
func (f *runFlags) address() string {
	host, port, err := net.SplitHostPort(f.listen)
	if err != nil || port == "0" || host == "" || net.ParseIP(host).IsUnspecified() {
		return ""
	}
	return f.tls.scheme() + "://" + net.JoinHostPort(host, port)
}

// tokenSize is the least of the daemon's own token.
const tokenSize = 24

// ownToken is the daemon's own: that of a file somebody else keeps, or of the
// state folder. It is read at each use.
func (f *runFlags) ownToken() (*reread.File[string], error) {
	from := reread.Spec[string]{What: "--token-file", Path: f.tokenFile, Parse: longEnough}
	if f.tokenFile == "" {
		from.What, from.Path = "token", filepath.Join(f.state, "token")
		if _, err := keptSecret(from.Path, tokenSize); err != nil {
			return nil, err
		}
	}
	file := reread.Open(f.files, from)
	_, err := file.Get()
	return file, err
}

func longEnough(data []byte) (string, error) {
	token := string(bytes.TrimSpace(data))
	if len(token) < tokenSize {
		return "", fmt.Errorf("the token has %d characters; give it %d or more", len(token), tokenSize)
	}
	return token, nil
}

// serverOf bounds all that a client can keep waiting: it sends slowly, or not at
// all, or takes nothing of what it is sent. What lasts longer by its nature (a
// stream, a backup, a profile) sets its own bounds.
func serverOf(handler http.Handler, config *tls.Config) *http.Server {
	return &http.Server{Handler: handler, TLSConfig: config, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute}
}

// serve runs the daemon and its page until asked to stop.
func (f *runFlags) serve(ctx context.Context, daemon *reconciler.Daemon, metrics *web.Metrics, w *watch) error {
	log := w.log
	own, err := f.ownToken()
	if err != nil {
		return err
	}
	config, err := f.tls.config(log, f.files)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", f.listen, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	issued := identity.New(time.Now, nil)
	token := func() string { t, _ := own.Get(); return t } // which it was at the start at least
	page := f.reachedAt(f.tls.listened(listener.Addr()))
	handler, err := web.New(web.Options{
		Logins: logins(issued, &secrets{files: f.files}, daemon.Identity, page), PageURL: page,
		Federated: func(ctx context.Context, token string) (access.Person, error) {
			return issued.Person(ctx, daemon.Identity(), token)
		},
		View: daemon, Control: daemon, Audit: daemon, Webhooks: daemon, Metrics: metrics, Token: token(), TokenNow: token, Tokens: func() (access.Tokens, error) { return knownTokens(f.state, daemon.Identity()) },
		InsecureLoopback: f.insecure,
		Loopback:         isLoopback(listener.Addr()), OpenMetrics: f.openMetrics, Version: version, Now: time.Now,
		Panicked: func(ctx context.Context, v any, stack []byte) { daemon.Defect(ctx, "page and API", v, stack) },
		Closing:  ctx.Done(), HTTPS: config != nil || strings.HasPrefix(f.pageURL, "https://"),
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	server := serverOf(handler, config)
	log.Info("serving", zap.String("address", f.tls.listened(listener.Addr())), zap.String("token_file", cmp.Or(f.tokenFile, filepath.Join(f.state, "token"))))
	g.Go(func() error { return untilSent(ctx, daemon, w.traces) })
	for part, do := range map[string]func(ctx context.Context){
		"word to systemd":         func(ctx context.Context) { supervise(ctx, log, f.tls.listened(listener.Addr())) },
		"view of the rate lanes":  w.lanes,
		"reload of what is asked": w.reloads,
	} {
		g.Go(func() error { return daemon.Keep(ctx, part, func(ctx context.Context) error { do(ctx); return nil }) })
	}
	g.Go(func() error {
		serve := server.Serve
		if config != nil {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", f.listen, err)
		}
		return nil
	})
	g.Go(func() error { return closed(ctx, server) })
	err = ended(ctx, stopLimit, g.Wait)
	log.Info("stopped")
	return err
}

// watch is what goes on beside the daemon: it shows how much of the account's
// rates this process uses, reloads when asked to, and sends traces.
type watch struct {
	traces  *otlp.Exporter // nil: nobody is told
	quota   *quota.Model
	metrics *web.Metrics
	log     *zap.Logger
	reloads func(ctx context.Context)
}

// lanesEvery is how often the lanes' use is shown anew.
const lanesEvery = 5 * time.Second

func (w *watch) lanes(ctx context.Context) {
	tick := time.NewTicker(lanesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, use := range w.quota.Lanes() {
				w.metrics.Quota(use.Scope+"/"+use.Name, use.Ratio)
			}
		}
	}
}

// runOnce makes passes until nothing moves and turns the outcome into an exit
// code: error over denied over held over changes.
func (f *runFlags) runOnce(cmd *cobra.Command, daemon *reconciler.Daemon) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	reports, err := daemon.Once(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not everything came to rest within %s; run again, or give it longer with --timeout", f.timeout)
	}
	if shown := f.onceTable(cmd, reports); err == nil {
		err = shown
	}
	if err != nil {
		return err
	}
	if code := onceCode(reports); code != exitDone {
		return exit{code}
	}
	return nil
}

// onceTable shows how each environment came to rest.
func (f *runFlags) onceTable(cmd *cobra.Command, reports []reconciler.Report) error {
	type line struct {
		Name    string `json:"name"`
		Outcome string `json:"outcome"`
		Reason  string `json:"reason"`
	}
	out := struct {
		Environments []line `json:"environments"`
	}{Environments: []line{}}
	for _, r := range reports {
		out.Environments = append(out.Environments, line{r.Environment, r.Outcome, r.Reason})
	}
	return print(cmd, f.output, out, func(w io.Writer) {
		for _, r := range out.Environments {
			fmt.Fprintf(w, "%-14s %-11s %s\n", r.Name, r.Outcome, r.Reason)
		}
	})
}

func onceCode(reports []reconciler.Report) int {
	code := exitDone
	rank := map[int]int{exitDone: 0, exitChanges: 1, exitHeld: 2, exitDenied: 3, exitError: 4}
	for _, r := range reports {
		c := exitDone
		switch r.Outcome {
		case "error":
			c = exitError
		case "denied":
			c = exitDenied
		case "held", "progressing":
			c = exitHeld
		case "drifted", "changes":
			c = exitChanges
		}
		if rank[c] > rank[code] {
			code = c
		}
	}
	return code
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func newLogger(format string, verbose bool) (*zap.Logger, error) {
	cfg := zap.NewProductionConfig()
	if format == "console" || format == "auto" && isTerminal(os.Stderr) {
		cfg = zap.NewDevelopmentConfig()
		cfg.DisableCaller, cfg.DisableStacktrace = true, true
		cfg.EncoderConfig.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	} else if format != "json" && format != "auto" {
		return nil, fmt.Errorf("--log-format %q: want json, console or auto", format)
	}
	cfg.Sampling = nil
	cfg.Level = zap.NewAtomicLevelAt(zap.InfoLevel)
	if verbose {
		cfg.Level = zap.NewAtomicLevelAt(zap.DebugLevel)
	}
	cfg.DisableStacktrace = true
	return cfg.Build()
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
