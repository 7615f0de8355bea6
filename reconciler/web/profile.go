package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"

	"mooring.dev/reconciler/access"
)

// Bounds of profiles that take time.
const (
	profileUsual   = 10 * time.Second
	profileLongest = 60 * time.Second
	profileSent    = time.Minute // for its way to who asked
)

// lasting are the profiles that are of a time, and stood those of a moment.
var (
	lasting = map[string]func(w io.Writer) (stop func(), err error){
		"profile": func(w io.Writer) (func(), error) { return pprof.StopCPUProfile, pprof.StartCPUProfile(w) },
		"trace":   func(w io.Writer) (func(), error) { return trace.Stop, trace.Start(w) },
	}
	stood = []string{"allocs", "goroutine", "heap", "threadcreate"}
)

// profiles answer with what this process does, in the form of Go's tools. They
// cost it time and say how it is built: they are for an admin of everything, whom
// a token proves, wherever the request comes from.
func (s *server) profiles() {
	s.closed("GET /debug/pprof/{profile}", func(w http.ResponseWriter, r *http.Request, by access.Person) {
		n := noteOf(r)
		n.looks, n.Act, n.Target = false, "profile", r.PathValue("profile")
		data, err := s.profile(w, r, by)
		n.ended(err)
		if err != nil {
			reply(w, nil, err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="`+r.PathValue("profile")+`"`)
		_, _ = w.Write(data) // a caller that left needs no answer
	})
}

func (s *server) profile(w http.ResponseWriter, r *http.Request, by access.Person) ([]byte, error) {
	if err := by.CheckEverywhere(access.Profile); err != nil {
		return nil, err
	}
	if by.Proof == proofLoopback {
		return nil, &access.Refusal{Who: by.Name, Verb: access.Profile, Environment: "the daemon", Of: "a token, also on this machine"}
	}
	name := r.PathValue("profile")
	start := lasting[name]
	if start == nil && !slices.Contains(stood, name) {
		return nil, badRequest{fmt.Errorf("profile %q: there are %s", name, strings.Join(slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(lasting)), stood...))), ", "))}
	}
	var out bytes.Buffer
	if start == nil {
		err := pprof.Lookup(name).WriteTo(&out, 0)
		return out.Bytes(), err
	}
	length, err := lengthOf(r)
	if err != nil {
		return nil, err
	}
	// The server bounds how long a request is read and answered; this one was
	// read, and takes its time.
	c := http.NewResponseController(w)
	_, _ = c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Now().Add(length+profileSent)) // what has no deadline is not a connection
	stop, err := start(&out)
	if err != nil {
		return nil, fmt.Errorf("profile %s: another is being taken: %w", name, err)
	}
	s.wait(r.Context(), length)
	stop()
	return out.Bytes(), nil
}

// wait lets a time pass; the end of the request, or of the daemon, ends it.
func (s *server) wait(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.o.Closing:
	}
}

// lengthOf is how long a caller wants a profile to take.
func lengthOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("seconds")
	if text == "" {
		return profileUsual, nil
	}
	n, err := strconv.Atoi(text)
	if length := time.Duration(n) * time.Second; err == nil && n >= 1 && length <= profileLongest {
		return length, nil
	}
	return 0, badRequest{fmt.Errorf("seconds %q: want 1 to %d", text, int(profileLongest/time.Second))}
}
