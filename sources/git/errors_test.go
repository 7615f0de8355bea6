package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"mooring.dev/sources"
)

func TestErrorsCarryKindsAndNoSecrets(t *testing.T) {
	cause := fmt.Errorf("get https://ann:%s@example.com/x?t=%s: %w\x1b[31m\nnext line", canary, "s3cret%2Fcanary%2Btoken", sources.ErrMoved)
	err := fail("fetch", sources.ErrUnreachable, cause, "", canary)
	if !errors.Is(err, sources.ErrMoved) || errors.Is(err, sources.ErrUnreachable) {
		t.Errorf("what the error itself says goes before what is assumed: %v", err)
	}
	for _, never := range []string{"canary", "\n", "\x1b"} {
		if strings.Contains(err.Error(), never) {
			t.Errorf("%q is in %q", never, err)
		}
	}
	if errors.Unwrap(err) == cause {
		t.Error("the original error, with its text, is still within reach")
	}
	long := fail("fetch", sources.ErrUnreachable, errors.New(strings.Repeat("é", 10_000)))
	if len(long.Error()) > maxErrorText+100 || !strings.HasPrefix(long.Error(), "fetch: unreachable: é") {
		t.Errorf("%d bytes: %.60s", len(long.Error()), long)
	}
	if err := fail("fetch", nil, context.DeadlineExceeded); !errors.Is(err, sources.ErrUnreachable) {
		t.Errorf("no answer in time: %v", err)
	}
	if err := fail("fetch", sources.ErrUnreachable, context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if fail("fetch", sources.ErrMoved, nil) != nil {
		t.Error("an error out of nothing")
	}
}
