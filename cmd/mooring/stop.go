package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// pageGrace is how long requests under way may take when the daemon stops.
	pageGrace = 5 * time.Second
	// stopLimit is how long all that runs may take to end: less than the 30 s
	// after which systemd and Kubernetes kill.
	stopLimit = 25 * time.Second
)

// closed ends a server once the context has ended. Requests that are not
// answered within the grace are cut: somebody who does not read, or sends half
// a request, is no fault of the daemon's.
func closed(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}

// ended waits for work, and once the context has ended no longer than limit.
func ended(ctx context.Context, limit time.Duration, wait func() error) error {
	done := make(chan error, 1)
	go func() { done <- wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("stopped without waiting longer: something did not end within %s; the journal is whole, and the next start goes on from it", limit)
	}
}
