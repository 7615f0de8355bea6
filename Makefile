# Mooring. `make help` lists the targets.

GO       ?= go
BIN      := bin/mooring
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s
SOAKTIME ?= 30m
LOADSIZE ?= 1000

.PHONY: help build man demo test gitea dex lint bench fuzz soak load clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')" 2>/dev/null || grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST)

build: ## compile bin/mooring
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $(BIN) ./cmd/mooring

man: build ## a manual page for each command, into bin/man
	./$(BIN) man --to bin/man

demo: build ## play the main job on the embedded sandbox (AUTO=1 plays and verifies it alone)
	./$(BIN) demo $(if $(AUTO),--auto) $(DEMO_FLAGS)

test: ## vet, every test with the race detector, and the demo's acts verified
	./.ci/test

gitea: ## build the real Gitea that TestGitea speaks with, into bin/gitea (some minutes)
	./.ci/gitea

dex: ## build the real Dex that TestDex logs in at, into bin/dex (a minute)
	./.ci/dex

lint: ## gofmt, vet, staticcheck
	./.ci/lint

bench: ## the figures of the notes: ratios and counts
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./...)

fuzz: ## every fuzz target for FUZZTIME each
	./.ci/fuzz $(FUZZTIME)

soak: ## the real daemon under faults for SOAKTIME: memory, goroutines and files stay level
	$(GO) test -count=1 -v -timeout 0 -run 'TestLesson83SoakWithFaults$$' ./cmd/mooring -artifacts -soak $(SOAKTIME)

load: ## wrk on the API and the page of the real daemon with LOADSIZE resources, beside 1,000 listeners
	$(GO) test -count=1 -v -timeout 0 -run 'TestLoadOfTheProgram$$' ./cmd/mooring -load $(LOADSIZE)

clean: ## remove what was built
	rm -rf bin
