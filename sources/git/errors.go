package git

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"mooring.dev/sources"
)

// ErrTooLarge is reported when a repository sends more than Options allow.
// Nothing of what was received is kept.
var ErrTooLarge = errors.New("larger than the limit")

// ErrStranger is reported, as a kind of sources.ErrUnauthorized, when a host
// shows a key that nobody told us to trust.
var ErrStranger = fmt.Errorf("%w: the host is not in the known hosts file", sources.ErrUnauthorized)

// failure is an error of a repository as callers may see it: what was being
// done, which of the contract's errors it is, and a text without secrets. The
// original error is not kept, because its text may carry a credential.
type failure struct {
	doing string
	kind  error // one of the contract's errors, or ErrTooLarge, or nil
	text  string
}

// Error is "doing: kind: text".
func (f *failure) Error() string {
	parts := []string{f.doing}
	if f.kind != nil {
		parts = append(parts, f.kind.Error())
	}
	if f.text != "" {
		parts = append(parts, f.text)
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the kind, for errors.Is.
func (f *failure) Unwrap() error { return f.kind }

// kinds are the errors that pass through a failure unchanged.
func kinds() []error {
	return []error{
		sources.ErrMoved, sources.ErrUnknownCommit, sources.ErrRefused, ErrStranger,
		sources.ErrUnauthorized, sources.ErrUnreachable, ErrTooLarge,
		context.Canceled,
	}
}

// fail builds a failure from err. Where err does not say what it is, kind does.
func fail(doing string, kind, err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		kind = sources.ErrUnreachable // no answer in time
	}
	for _, k := range kinds() {
		if errors.Is(err, k) {
			kind = k
			break
		}
	}
	text := scrub(err.Error(), secrets...)
	if kind != nil {
		text = strings.TrimPrefix(strings.TrimPrefix(text, kind.Error()), ": ")
	}
	return &failure{doing: doing, kind: kind, text: text}
}

// as makes an error of a known kind.
func as(kind error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))
}

// maxErrorText bounds what a foreign server may put into our messages, in bytes.
const maxErrorText = 400

// scrub takes the secrets out of a text, also in the forms in which a URL
// carries them, and makes it one short line.
func scrub(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "[secret]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return strings.TrimSpace(text)
}
