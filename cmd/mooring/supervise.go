package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// supervisor tells systemd how the daemon is, over the datagram socket that a
// unit of Type=notify names. Its zero value tells nobody.
type supervisor struct {
	socket string        // "" : nobody listens
	every  time.Duration // how often a sign of life is wanted; 0: none is
	log    *zap.Logger
}

// supervised reads what systemd says to this process.
func supervised(lookup func(string) (string, bool), pid int, log *zap.Logger) supervisor {
	socket, _ := lookup("NOTIFY_SOCKET")
	s := supervisor{socket: socket, log: log}
	text, _ := lookup("WATCHDOG_USEC")
	limit, err := strconv.ParseInt(text, 10, 64)
	if owner, ok := lookup("WATCHDOG_PID"); err != nil || limit <= 0 || ok && owner != strconv.Itoa(pid) {
		return s // no watchdog, or that of another process
	}
	s.every = time.Duration(limit) * time.Microsecond / 3
	return s
}

// tell sends one message. A supervisor that does not listen stops no daemon.
func (s supervisor) tell(message string) {
	if s.socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"}) // @name is abstract
	if err == nil {
		_, err = conn.Write([]byte(message))
		_ = conn.Close() // nothing is buffered
	}
	if err != nil {
		s.log.Warn("systemd could not be told", zap.Error(err))
	}
}

// watched gives signs of life until the context ends, each after the daemon
// was asked for one as anybody would. A daemon that does not answer gives
// none, and systemd ends it.
func (s supervisor) watched(ctx context.Context, alive func(context.Context) error) {
	if s.socket == "" || s.every <= 0 {
		return
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		ask, cancel := context.WithTimeout(ctx, s.every)
		err := alive(ask)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("no sign of life", zap.Error(err))
		default:
			s.tell("WATCHDOG=1")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// asksItself asks a page of this process whether it is alive.
func asksItself(address string) func(context.Context) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,                                  // a connection of its own each time, and no proxy
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // this process itself, by a number: its certificate has the name others use
	}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("healthz answers %s", resp.Status)
		}
		return nil
	}
}

// supervise says that the daemon serves, gives signs of life, and says when
// it stops.
func supervise(ctx context.Context, log *zap.Logger, address string) {
	s := supervised(os.LookupEnv, os.Getpid(), log)
	s.tell("READY=1\nSTATUS=serving " + address)
	s.watched(ctx, asksItself(address))
	<-ctx.Done()
	s.tell("STOPPING=1\nSTATUS=stopping")
}
