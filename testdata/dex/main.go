// Package main is a real Dex for tests: its own server, with its storage in
// memory, two people with passwords, somebody of a group, and three clients. It
// says "ready" once it listens. Its keys are new with each start.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:5556", "where it listens; the issuer is http://LISTEN/dex")
	back := flag.String("back", "", "where client mooring lets people return to")
	password := flag.String("password", "", "everybody's, and every client's secret")
	valid := flag.Duration("valid", time.Hour, "how long ID tokens are good")
	rotate := flag.Duration("rotate", 6*time.Hour, "how often keys change; Dex looks every 30 s")
	flag.Parse()
	if err := run(*listen, *back, *password, *valid, *rotate); err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func run(listen, back, password string, valid, rotate time.Duration) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	people := []storage.Password{
		{Email: "ann@shop.example", Username: "ann", UserID: "17", Hash: hash},
		{Email: "bob@shop.example", Username: "bob", UserID: "18", Hash: hash},
	}
	clients := []storage.Client{
		{ID: "mooring", Secret: password, Name: "Mooring", RedirectURIs: []string{back}},
		{ID: "mooring-api", Secret: password, Name: "Jobs", TrustedPeers: []string{"another"}},
		{ID: "another", Secret: password, Name: "Another"},
	}
	connectors := []storage.Connector{
		{ID: server.LocalConnector, Type: server.LocalConnector, Name: "Password"},
		{ID: "mock", Type: "mockCallback", Name: "Group"},
	}
	s := storage.WithStaticConnectors(storage.WithStaticPasswords(storage.WithStaticClients(memory.New(logger), clients), people, logger), connectors)
	dex, err := server.NewServer(context.Background(), server.Config{
		Issuer: "http://" + listen + "/dex", Storage: s, PasswordConnector: server.LocalConnector,
		IDTokensValidFor: valid, RotateKeysAfter: rotate, Logger: logger, PrometheusRegistry: prometheus.NewRegistry(),
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Println("ready")
	return http.Serve(l, dex)
}
