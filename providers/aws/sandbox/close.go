package sandbox

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// grace is how long Close waits for calls under way.
const grace = 2 * time.Second

// Close stops listening, ends every function process, and removes what the
// sandbox wrote into a folder of its own. A second Close does nothing.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	server, served := s.server, s.served
	again := s.closed
	s.server, s.served, s.closed = nil, nil, true
	s.mu.Unlock()
	if again {
		return nil
	}
	close(s.done)
	var faults []error
	if server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			faults = append(faults, server.Close())
		}
		if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			faults = append(faults, err)
		}
	}
	s.ticking.Wait()
	return errors.Join(append(faults, s.closeSites())...)
}
