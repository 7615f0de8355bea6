package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"go.uber.org/zap"

	"mooring.dev/providers/aws"
	"mooring.dev/sources/reread"
)

// reloadLimit is how long looking for credentials may take when a daemon is
// asked to read everything anew.
const reloadLimit = 30 * time.Second

// keys are one environment's or receiver's credentials as something that may be
// replaced.
type keys struct {
	of          string
	credentials *aws.Credentials
}

// Name implements reread.Renewer.
func (k keys) Name() string { return "AWS credentials of " + k.of }

// Renew implements reread.Renewer.
func (k keys) Renew(ctx context.Context) (bool, error) {
	changed, err := k.credentials.Renew(ctx)
	if err != nil {
		return false, fmt.Errorf("%s: %w", k.Name(), err)
	}
	return changed, nil
}

// settings are a file that the AWS SDK reads when a platform is opened. That
// it is not there is one of its states.
type settings struct {
	path string
	sum  [sha256.Size]byte
}

// Name implements reread.Renewer.
func (s *settings) Name() string { return settingsName + s.path }

const settingsName = "AWS settings "

// Renew implements reread.Renewer.
func (s *settings) Renew(context.Context) (bool, error) {
	text, err := os.ReadFile(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("%s: %w", s.Name(), err)
	}
	before := s.sum
	s.sum = sha256.Sum256(text)
	return s.sum != before, nil
}

// awsSettings are the files that platforms are opened by, as they are now.
func awsSettings(ctx context.Context, files *reread.Set) {
	for _, path := range []string{cmp.Or(os.Getenv("AWS_CONFIG_FILE"), awsconfig.DefaultSharedConfigFilename()), os.Getenv("AWS_CA_BUNDLE")} {
		if path == "" {
			continue
		}
		s := &settings{path: path}
		_, _ = s.Renew(ctx) // what cannot be read is said by what needs it
		files.Add(s)
	}
}

// newFiles is what a daemon reads anew. What cannot be used is told once.
func newFiles(ctx context.Context, log *zap.Logger) *reread.Set {
	files := &reread.Set{Notice: func(err error) {
		log.Error("what was replaced cannot be used; what was before stays in use", zap.Error(err))
	}}
	awsSettings(ctx, files)
	return files
}

// reloading is a daemon that can be asked to read everything anew.
type reloading struct {
	files  *reread.Set
	daemon interface{ Reload(reopen bool) }
	log    *zap.Logger
	tell   func(message string) // the supervisor
}

// hangups are the SIGHUPs from now on. Where they are not heard one ends the
// process, as it does any.
func hangups(heard bool) (asked chan os.Signal, stop func()) {
	asked = make(chan os.Signal, 1)
	if heard {
		signal.Notify(asked, syscall.SIGHUP)
	}
	return asked, func() { signal.Stop(asked) }
}

// on reloads at each signal until the context ends.
func (r *reloading) on(ctx context.Context, asked <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
			r.reload(ctx)
		}
	}
}

// reload reads everything anew, says in one line what is another now, by name
// and never by value, and has every environment looked at.
func (r *reloading) reload(ctx context.Context) {
	r.tell("RELOADING=1")
	defer r.tell("READY=1")
	bounded, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	done := r.files.Renew(bounded)
	reopen := false
	for _, name := range done.Changed {
		reopen = reopen || strings.HasPrefix(name, settingsName)
	}
	r.daemon.Reload(reopen)
	said := []zap.Field{zap.Strings("changed", done.Changed)}
	if done.Err != nil {
		r.log.Error("reloaded, but not everything: what cannot be used now stays as it was", append(said, zap.Strings("kept", done.Kept), zap.Error(done.Err))...)
		return
	}
	r.log.Info("reloaded", said...)
}
