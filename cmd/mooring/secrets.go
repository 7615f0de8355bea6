package main

import (
	"fmt"
	"os"
	"sync"

	"mooring.dev/reconciler/notify"
	"mooring.dev/sources/manifest"
	"mooring.dev/sources/reread"
)

// secrets are values that stay out of the repository. The zero value is of a
// process that does not tell what was replaced.
type secrets struct {
	files *reread.Set

	mu   sync.Mutex
	open map[string]*reread.File[string] // by path
}

// of reads a secret anew at each use.
func (s *secrets) of(named manifest.Secret) notify.Secret {
	return func() (string, error) {
		switch {
		case named.FromEnv != "":
			v := os.Getenv(named.FromEnv)
			if v == "" {
				return "", fmt.Errorf("environment variable %s is not set", named.FromEnv)
			}
			return v, nil
		case named.FromFile != "":
			return s.file(named.FromFile).Get()
		}
		return named.Inline, nil
	}
}

// value reads a secret now.
func (s *secrets) value(named manifest.Secret) (string, error) { return s.of(named)() }

// file is kept as long as the process, so that what it said last is known.
func (s *secrets) file(path string) *reread.File[string] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.open[path]; f != nil {
		return f
	}
	if s.open == nil {
		s.open = map[string]*reread.File[string]{}
	}
	f := reread.Open(s.files, reread.Spec[string]{What: "secret", Path: path, Parse: reread.Text})
	s.open[path] = f
	return f
}
