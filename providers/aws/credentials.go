package aws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Credentials are those of one account. They are looked for anew when a file
// they may come from was replaced, when AWS says that they are good no more,
// and when Renew is called; while nothing better is found those before stay.
// Safe for concurrent use.
type Credentials struct {
	// find looks where the SDK looks, and takes on a role where one is named.
	find   func(ctx context.Context) (awssdk.CredentialsProvider, error)
	files  []string
	now    func() time.Time
	notice func(error) // may be nil

	mu      sync.Mutex
	current awssdk.CredentialsProvider
	stamp   []os.FileInfo // of files when they were looked at last
	again   time.Time     // when what could not be used is tried again; zero: it could
	refused time.Time     // when AWS last made it look
}

// lookEvery is how often keys that AWS refuses, and files that cannot be used,
// make us look anew at most: what is gone for good is not asked for at every call.
const lookEvery = 30 * time.Second

// credentialFiles are where the SDK may find credentials.
func credentialFiles() []string {
	named := func(variable, otherwise string) string {
		if name := os.Getenv(variable); name != "" {
			return name
		}
		return otherwise
	}
	files := []string{
		named("AWS_SHARED_CREDENTIALS_FILE", config.DefaultSharedCredentialsFilename()),
		named("AWS_CONFIG_FILE", config.DefaultSharedConfigFilename()),
		os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"),
	}
	return slices.DeleteFunc(files, func(name string) bool { return name == "" })
}

// Retrieve implements awssdk.CredentialsProvider.
func (c *Credentials) Retrieve(ctx context.Context) (awssdk.Credentials, error) {
	return c.provider(ctx).Retrieve(ctx)
}

// provider looks at the files at each call: a few stats beside a request.
func (c *Credentials) provider(ctx context.Context) awssdk.CredentialsProvider {
	c.mu.Lock()
	defer c.mu.Unlock()
	replaced := !slices.EqualFunc(stampOf(c.files), c.stamp, sameFile)
	if replaced || !c.again.IsZero() && !c.now().Before(c.again) {
		if err := c.look(ctx); err != nil && replaced && ctx.Err() == nil && c.notice != nil {
			c.notice(fmt.Errorf("AWS credentials: %w", err))
		}
	}
	return c.current
}

// look finds credentials and tries them before they take the place of those
// before. The files' state is noted first, so that what is written meanwhile is
// looked at the next time.
func (c *Credentials) look(ctx context.Context) error {
	stamp := stampOf(c.files)
	found, err := c.find(ctx)
	if err == nil {
		_, err = found.Retrieve(ctx)
	}
	switch {
	case err == nil:
		c.current, c.stamp, c.again = found, stamp, time.Time{}
	case ctx.Err() == nil: // else the caller left, and nothing was found out
		c.stamp, c.again = stamp, c.now().Add(lookEvery)
	}
	return err
}

// Renew looks anew, whatever is known. changed: the keys are others now.
func (c *Credentials) Renew(ctx context.Context) (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.renew(ctx)
}

func (c *Credentials) renew(ctx context.Context) (changed bool, err error) {
	before := c.keys(ctx)
	if err := c.look(ctx); err != nil {
		return false, err
	}
	return c.keys(ctx) != before, nil
}

// keyPair tells credentials apart.
type keyPair struct{ id, secret, session string }

func pairOf(v awssdk.Credentials) keyPair {
	return keyPair{v.AccessKeyID, v.SecretAccessKey, v.SessionToken}
}

// keys are those in use; none where there are none.
func (c *Credentials) keys(ctx context.Context) keyPair {
	v, err := c.current.Retrieve(ctx)
	if err != nil {
		return keyPair{}
	}
	return pairOf(v)
}

// better says whether there are other keys than those that AWS refused. It
// looks for them, but not again and again.
func (c *Credentials) better(ctx context.Context, refused keyPair) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.keys(ctx); now != refused && now != (keyPair{}) {
		return true // somebody else's call found them
	}
	if at := c.now(); !c.refused.IsZero() && at.Sub(c.refused) < lookEvery && !at.Before(c.refused) {
		return false
	}
	c.refused = c.now()
	changed, err := c.renew(ctx)
	return err == nil && changed
}

// noLongerGood are AWS's words for keys that expired or were taken away.
func noLongerGood(err error) bool {
	var said smithy.APIError
	if !errors.As(err, &said) {
		return false
	}
	switch said.ErrorCode() {
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "InvalidToken":
		return true
	}
	return false
}

// renewed is a refusal of keys that there are better ones for by now: the SDK
// tries again.
type renewed struct{ error }

// RetryableError is what the SDK asks.
func (renewed) RetryableError() bool { return true }

func (r renewed) Unwrap() error { return r.error }

// register has every attempt that AWS refused for its keys tried once more
// where there are others.
func (c *Credentials) register(stack *middleware.Stack) error {
	step := middleware.FinalizeMiddlewareFunc("MooringCredentials", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error) {
		used, _ := c.Retrieve(ctx) // what fails here fails in the attempt, and is said there
		out, meta, err := next.HandleFinalize(ctx, in)
		if noLongerGood(err) && c.better(ctx, pairOf(used)) {
			err = renewed{err}
		}
		return out, meta, err
	})
	return stack.Finalize.Insert(step, "Retry", middleware.After)
}

// stampOf is what tells one state of files from another, also behind a link;
// one that is not there is nil.
func stampOf(files []string) []os.FileInfo {
	stamp := make([]os.FileInfo, len(files))
	for i, name := range files {
		if info, err := os.Stat(name); err == nil {
			stamp[i] = info
		}
	}
	return stamp
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
