package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"mooring.dev/providers"
	"mooring.dev/providers/aws"
	"mooring.dev/providers/aws/quota"
	"mooring.dev/providers/memory"
	"mooring.dev/providers/readonly"
	"mooring.dev/reconciler"
	"mooring.dev/reconciler/access"
	"mooring.dev/reconciler/egress"
	"mooring.dev/reconciler/measure"
	"mooring.dev/reconciler/web"
	"mooring.dev/sources"
	"mooring.dev/sources/artifact"
	"mooring.dev/sources/dir"
	"mooring.dev/sources/evidence"
	"mooring.dev/sources/git"
	"mooring.dev/sources/manifest"
	"mooring.dev/sources/reread"
	"mooring.dev/sources/signature"
)

// place says which repository is meant, and how it is reached: the flags that
// every command reading the world shares.
type place struct {
	repo      string
	path      string // a working folder instead of a repository
	control   string
	state     string
	artifacts string
	poll      time.Duration

	tokenFile, user, sshKey, knownHosts, caFile string
	gitApp, gitAppKey                           string // a GitHub App, as APP/INSTALLATION, and its key file
	signingKey                                  string // of a daemon's commits
	cloudwatch, emulator                        string

	files *reread.Set // what is read anew; nil: the process ends before it matters
}

func (p *place) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.repo, "repo", "", "repository of environment state: a path or URL")
	f.StringVar(&p.path, "path", "", "a working folder instead of a repository; it stands for the control branch and every environment")
	f.StringVar(&p.control, "control", "", "branch that mooring.yaml and policies/ are read from (default: main, else the repository's default branch)")
	f.StringVar(&p.state, "state", defaultState(), "folder of the journal and caches")
	f.StringVar(&p.artifacts, "artifacts", "", "folder below which file: artifacts lie")
	f.StringVar(&p.tokenFile, "git-token-file", "", "file with the HTTPS token of the repository (or set MOORING_GIT_TOKEN)")
	f.StringVar(&p.gitApp, "git-github-app", "", "GitHub App that opens an HTTPS repository on GitHub, as APP/INSTALLATION (the ids)")
	f.StringVar(&p.gitAppKey, "git-github-app-key", "", "file with the private key of --git-github-app, PEM")
	f.StringVar(&p.user, "git-user", "", "user for the repository, where the host wants another than git")
	f.StringVar(&p.sshKey, "git-ssh-key", "", "private key file for an SSH repository")
	f.StringVar(&p.knownHosts, "git-known-hosts", "", "known_hosts file; SSH hosts not in it are refused")
	f.StringVar(&p.caFile, "ca-file", "", "further certificate authorities for the repository and the API of its host, PEM")
	f.StringVar(&p.cloudwatch, "cloudwatch-protocol", "", "json or query, for AWS emulators that do not speak what the SDK does")
	f.StringVar(&p.emulator, "emulator", "", "moto, when AWS_ENDPOINT_URL is one: its known differences are allowed for")
}

// defaultState is where a user's daemon keeps its memory.
func defaultState() string {
	if base := os.Getenv("XDG_STATE_HOME"); base != "" {
		return filepath.Join(base, "mooring")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".mooring"
	}
	return filepath.Join(home, ".local", "state", "mooring")
}

// source opens what is declared. cache is a folder for a repository's store.
func (p *place) source(cache string, notice func(error)) (sources.Source, sources.Proposer, error) {
	switch {
	case p.path != "" && p.repo != "":
		return nil, nil, errors.New("--repo and --path exclude each other: name one")
	case p.path != "":
		folder, err := dir.Open(dir.Options{Dir: p.path, Branches: p.branches, Notice: notice})
		if err != nil {
			return nil, nil, err
		}
		return p.withPolicies(folder, cache, notice), nil, nil
	case p.repo == "":
		return nil, nil, errors.New("no repository: name one with --repo PATH_OR_URL (or a working folder with --path DIR)")
	}
	o := git.Options{
		URL: p.repo, Dir: cache, User: p.user, TokenEnv: "MOORING_GIT_TOKEN", TokenFile: p.tokenFile, SSHKeyFile: p.sshKey,
		KnownHostsFile: p.knownHosts, CAFile: p.caFile, SigningKeyFile: p.signingKey, Files: p.files, Poll: p.poll, Notice: notice,
	}
	if err := p.asApp(&o); err != nil {
		return nil, nil, err
	}
	repo, err := git.Open(o)
	if err != nil {
		return nil, nil, err
	}
	return p.withPolicies(repo, cache, notice), repo, nil
}

// branches a working folder stands for.
func (p *place) branches(tree fs.FS) []string {
	out := []string{cmp.Or(p.control, "main")}
	pipeline, err := manifest.LoadPipeline(tree)
	if err != nil {
		return out
	}
	for _, e := range pipeline.Environments {
		out = append(out, e.Branch)
	}
	return out
}

// platforms opens providers. The quota model and the token key are shared by
// all environments of the process.
type platforms struct {
	place    *place
	instance string
	tokens   []byte
	quota    *quota.Model
	onCall   func(service, operation, code string)
	hearing  *aws.Hearing
	traced   bool // calls are recorded in the traces of what they are made for
	readOnly bool // nothing is written, whatever is asked
	secrets  secrets

	mu     sync.Mutex
	memory *memory.Platform
	stores map[string]*artifact.Store
	loaded map[string]bool // accounts that were reached once, by whom
}

// open is one environment's platform.
func (f *platforms) open(ctx context.Context, p *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
	provider, err := f.openAny(ctx, p, e)
	if err != nil || !f.readOnly {
		return provider, err
	}
	return readonly.Wrap(provider), nil
}

func (f *platforms) openAny(ctx context.Context, p *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
	switch {
	case e.Provider.AWS != nil:
		return f.openAWS(ctx, p, e)
	case e.Provider.Memory != nil:
		return f.openMemory(p, e)
	}
	return nil, providers.Errorf(providers.Invalid, "environment %s names no provider; give it provider: {aws: {region: …}}", e.Name)
}

func (f *platforms) openAWS(ctx context.Context, p *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
	cfg, err := f.load(ctx, "environment "+e.Name, *e.Provider.AWS)
	if err != nil {
		return nil, err
	}
	store, err := f.artifacts(e.Name, cfg)
	if err != nil {
		return nil, err
	}
	o := aws.Options{
		Config: cfg, Target: *e.Provider.AWS, Pipeline: p.Name, Environment: e.Name, Artifacts: store,
		Tokens: f.tokens, Now: time.Now, Quota: f.quota, OnCall: f.onCall, Trace: f.trace(), CloudWatchProtocol: f.place.cloudwatch, Emulator: f.place.emulator,
		ReadOnly: f.readOnly, HintQueue: e.Hints.Queue, Hearing: f.hearing, Deadman: e.Rollout.Deadman,
	}
	if emulated(cfg) {
		// An emulator on this machine has no account to share: look often.
		o.LayerAge, o.MetricPeriod = max(time.Second, time.Duration(e.Drift.Interval)), time.Second
	}
	return aws.New(o)
}

// load is how an account is reached for an environment or a receiver.
func (f *platforms) load(ctx context.Context, of string, target manifest.AWSTarget) (awssdk.Config, error) {
	o := aws.LoadOptions{Target: target, Instance: f.instance, AppID: "mooring-" + version}
	if f.place.files != nil {
		o.Notice = f.place.files.Notice
	}
	cfg, err := aws.Load(ctx, o)
	if err != nil {
		return cfg, err
	}
	f.mu.Lock()
	again := f.loaded[of]
	f.mu.Unlock()
	if again { // what was loaded before is of more use than what has no credentials
		if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
			return cfg, fmt.Errorf("AWS credentials of %s: %w", of, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.loaded == nil {
		f.loaded = map[string]bool{}
	}
	f.loaded[of] = true
	if credentials, ok := cfg.Credentials.(*aws.Credentials); ok {
		f.place.files.Add(keys{of: of, credentials: credentials})
	}
	return cfg, nil
}

// artifacts is an environment's store of code, read with its own role.
func (f *platforms) artifacts(environment string, cfg awssdk.Config) (*artifact.Store, error) {
	cfg = aws.Recorded(cfg, aws.Options{OnCall: f.onCall, Trace: f.trace()})
	store, err := artifact.New(artifact.Options{
		Root: f.place.artifacts, CacheDir: filepath.Join(f.place.state, "artifacts"),
		S3: artifact.S3{Client: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = emulated(cfg) })},
		// Addresses of registries stand on environments' branches: whoever
		// merges there must not reach by them what only this machine may.
		OCI: artifact.OCI{Client: &http.Client{Transport: egress.Transport(30 * time.Second)}},
	})
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stores == nil {
		f.stores = map[string]*artifact.Store{}
	}
	f.stores[environment] = store
	return store, nil
}

// contract reads what an artifact's code says it expects. Code that is absent
// or not what its digest says is Invalid.
func (f *platforms) contract(ctx context.Context, e manifest.Environment, a manifest.Artifact) (manifest.Expects, error) {
	f.mu.Lock()
	store := f.stores[e.Name]
	f.mu.Unlock()
	if store == nil && e.Provider.AWS != nil {
		return manifest.Expects{}, fmt.Errorf("the platform of %s is not open yet", e.Name)
	} else if store == nil { // a platform without artifacts
		return manifest.Expects{}, nil
	}
	blob, err := store.Fetch(ctx, a)
	if err != nil {
		kind := providers.Transient
		for _, final := range []error{artifact.ErrMissing, artifact.ErrMismatch, artifact.ErrTooLarge, artifact.ErrUnusable} {
			if errors.Is(err, final) {
				kind = providers.Invalid
			}
		}
		return manifest.Expects{}, providers.Errorf(kind, "%w", err)
	}
	data, found, err := artifact.Contract(blob)
	if err != nil || !found {
		return manifest.Expects{}, err
	}
	expects, err := manifest.ParseContract(data)
	if err != nil {
		return expects, providers.Errorf(providers.Invalid, "contract in %s: %w", a.URI, err)
	}
	return expects, nil
}

// openMemory is a platform in this process's memory, shared by its
// environments; it is gone with the process.
func (f *platforms) openMemory(p *manifest.Pipeline, e manifest.Environment) (providers.Provider, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.memory == nil {
		f.memory = memory.New(memory.Options{Now: time.Now})
	}
	return f.memory.Environment(p.Name, e.Name), nil
}

// emulated: the endpoint is an AWS on this machine.
func emulated(cfg awssdk.Config) bool {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	if cfg.BaseEndpoint != nil {
		endpoint = *cfg.BaseEndpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || endpoint == "" {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasPrefix(host, "127.") || host == "::1"
}

// options of a reconciler over a place, without its store.
func (p *place) options(log *zap.Logger, f *platforms) (reconciler.Options, error) {
	cache := filepath.Join(p.state, "repository")
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return reconciler.Options{}, fmt.Errorf("state folder: %w", err)
	}
	source, proposer, err := p.source(cache, func(err error) { log.Info("watching", zap.Error(err)) })
	if err != nil {
		return reconciler.Options{}, err
	}
	f.secrets.files = p.files
	return reconciler.Options{
		Source: source, Proposer: proposer, Control: p.control, Provider: f.open, Contracts: f.contract, Beside: f.beside, Policies: policies, Closed: closedPolicies, Evidence: evidence.NewVerifier, Signers: signature.New, Signs: p.signingKey != "",
		Lanes: f.lanes, ReadOnly: f.readOnly, Notifier: f.openNotifier, Log: log, Instance: f.instance, Now: time.Now, Pace: pace(),
		Ask: measure.NewClient(nil), Secret: f.secrets.value, Host: func(h manifest.Host) (sources.Host, error) { return openHost(h, &f.secrets, p.hostClient()) },
		Tokens: func() (access.Tokens, error) { return readTokens(p.state) },
	}, nil
}

// lanes is what is used of the accounts' rates.
func (f *platforms) lanes() []web.Lane {
	out := []web.Lane{}
	for _, use := range f.quota.Lanes() {
		out = append(out, web.Lane{
			Name: use.Scope + "/" + use.Name, PerSecond: use.PerSecond, Allowed: use.Allowed, UsedRatio: use.Ratio, Calls: use.Calls, Throttles: use.Throttles,
		})
	}
	return out
}

// rates are AWS's, of which Mooring takes a polite share; an emulator on this
// machine has nobody to share with.
func rates(share float64) quota.Options {
	if emulated(awssdk.Config{}) {
		return quota.Options{Share: 1, Background: 1, Scale: 20}
	}
	return quota.Options{Share: max(releaseShare, share), Background: share}
}

// sweepShare is what looking takes at most of each rate an account allows, and
// releaseShare what writes and the looks they need may take besides: releases
// come before drift.
const sweepShare, releaseShare = 0.2, 0.33

// pace is quick against an emulator, and AWS's own minute otherwise.
func pace() reconciler.Pace {
	if emulated(awssdk.Config{}) {
		return reconciler.Pace{SecondLook: 300 * time.Millisecond, Settle: 150 * time.Millisecond, Look: time.Second, Retry: 500 * time.Millisecond, RetryMax: 15 * time.Second, Check: 2 * time.Second}
	}
	return reconciler.Pace{MetricDelay: 90 * time.Second, MetricPeriod: time.Minute}
}

// tokenKey keys the tokens that stand for sensitive values. It is made once
// and kept in the state folder, so that tokens stay the same over restarts.
func tokenKey(state string) ([]byte, error) { return keptSecret(filepath.Join(state, "token.key"), 32) }

// keptSecret reads a secret of this state folder, making it at first.
func keptSecret(path string, size int) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err == nil && len(data) >= size {
		return []byte(strings.TrimSpace(string(data))), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	raw := make([]byte, size)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	text := []byte(hex.EncodeToString(raw))
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	return text, nil
}

// instanceName tells daemons apart in the journal and in audit trails.
func instanceName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}
