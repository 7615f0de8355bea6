package runtime

import (
	"context"
	"time"
)

// acquire takes a warm environment or starts one ("new"); it waits while the
// machine is full. A nil environment comes with the reason instead.
func (h *Host) acquire(ctx context.Context, f *Function) (*environment, string, error) {
	for {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return nil, "", ErrClosed
		}
		h.retireOthers(f)
		if env := h.takeIdle(f.Key); env != nil {
			h.mu.Unlock()
			return env, "warm", nil
		}
		if len(h.all) < h.opts.Environments {
			env := h.prepare(f)
			h.mu.Unlock()
			if err := env.start(); err != nil {
				env.end()
				return nil, reason(err), nil
			}
			return env, "new", nil
		}
		evicted := h.evict()
		freed := h.freed
		h.mu.Unlock()
		if evicted != nil {
			evicted.end()
			continue
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}

func (h *Host) prepare(f *Function) *environment {
	h.serial++
	env := &environment{host: h, function: f, serial: h.serial, work: make(chan *pending), ready: make(chan struct{}),
		initError: make(chan []byte, 1), ended: make(chan struct{}), exited: make(chan struct{})}
	h.all[env] = true
	return env
}

// takeIdle returns a live warm environment of one key. The caller holds h.mu.
func (h *Host) takeIdle(key string) *environment {
	for list := h.idle[key]; len(list) > 0; list = h.idle[key] {
		env := list[len(list)-1]
		h.idle[key] = list[:len(list)-1]
		env.timer.Stop()
		select {
		case <-env.exited:
			h.endLater(env)
		default:
			return env
		}
	}
	delete(h.idle, key)
	return nil
}

// retireOthers ends warm processes of older states. The caller holds h.mu.
func (h *Host) retireOthers(f *Function) {
	for key, list := range h.idle {
		if key == f.Key || len(list) == 0 || list[0].function.Group != f.Group {
			continue
		}
		delete(h.idle, key)
		for _, env := range list {
			env.timer.Stop()
			h.endLater(env)
		}
	}
}

// evict takes the first warm environment it finds, to make room. The caller
// holds h.mu.
func (h *Host) evict() *environment {
	for key := range h.idle {
		if env := h.takeIdle(key); env != nil {
			return env
		}
	}
	return nil
}

// endLater ends an environment without making the caller, who holds h.mu, wait.
func (h *Host) endLater(env *environment) {
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		env.end()
	}()
}

func (h *Host) release(env *environment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		h.endLater(env)
		return
	}
	key := env.function.Key
	h.idle[key] = append(h.idle[key], env)
	env.timer = time.AfterFunc(h.opts.Idle, func() { h.reap(env) })
	h.signal()
}

// reap ends an environment that stayed idle.
func (h *Host) reap(env *environment) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := env.function.Key
	for i, e := range h.idle[key] {
		if e == env && !h.closed {
			h.idle[key] = append(h.idle[key][:i:i], h.idle[key][i+1:]...)
			h.endLater(env)
			return
		}
	}
}

// signal wakes whoever waits for room. The caller holds h.mu.
func (h *Host) signal() {
	close(h.freed)
	h.freed = make(chan struct{})
}
