# Connect Hub. "make help" lists what there is.
SHELL := /bin/bash
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -X main.version=$(VERSION)
LONG ?=
export LONG

FUZZTIME := $(if $(filter 1,$(LONG)),10m,20s)

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: build ## the hub on http://localhost:8080 and a demo cluster; Ctrl-C stops it all
	@exec ./bin/demo run

demo: build ## the main job unattended, with its figures (MUTANT=1: without the guard)
	@if [ -n "$(MUTANT)" ]; then go build -tags mutant -o bin/server-mutant ./server; fi
	@exec ./bin/demo unattended $(if $(MUTANT),--server bin/server-mutant --mutant)

demo-nats: build ## upgrades a real NATS cluster under live traffic
	@exec ./bin/demo nats

build: bin/server bin/nodeclient bin/demo bin/sample bin/oidcprovider ## both programs and the demo, into bin/

.PHONY: help run demo demo-nats build bin/server bin/nodeclient bin/demo bin/sample bin/oidcprovider ui test check \
	lint generate proof bench e2e clean images

bin/server: ui
	go build -ldflags "$(LDFLAGS)" -o $@ ./server
bin/nodeclient:
	CGO_ENABLED=0 go build -ldflags "$(LDFLAGS)" -o $@ ./nodeclient
bin/demo:
	go build -o $@ ./tools/demo
bin/sample:
	CGO_ENABLED=0 go build -o $@ ./deploy/sample
bin/oidcprovider:
	CGO_ENABLED=0 go build -o $@ ./tools/oidcprovider

ui: frontend/node_modules/.package-lock.json ## the console, into frontend/dist
	@cd frontend && npm run --silent build

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	@node -e 'const [a,b]=process.versions.node.split(".").map(Number); if (a<20||(a===20&&b<19)) { console.error("the console needs Node.js 20.19 or later, this is "+process.version); process.exit(1) }'
	cd frontend && npm ci --no-audit --no-fund
	@touch $@

test: frontend/node_modules/.package-lock.json ## every test of both languages; ends with the count
	cd frontend && npm run --silent typecheck && npm test --silent
	go run ./tools/gotest $(GOTESTFLAGS) -timeout 14m ./...

check: lint generate-check test ## what a change must pass

lint: .cache/tools/golangci-lint ## gofmt, vet and the linters of .golangci.yml
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	.cache/tools/golangci-lint run ./...

.cache/tools/golangci-lint: tools/lint/go.mod
	@mkdir -p .cache/tools
	cd tools/lint && go build -o ../../.cache/tools/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

generate: ## the Go server, Go client and console types from the OpenAPI document
	cd handlers/adminapi && go tool -modfile=../../tools/codegen/go.mod oapi-codegen -config gen/config.yaml openapi.yaml
	cd handlers/adminapi && go tool -modfile=../../tools/codegen/go.mod oapi-codegen -config client/config.yaml openapi.yaml
	cd frontend && npm run --silent gen:api

generate-check: frontend/node_modules/.package-lock.json ## fails when generated files are stale
	$(MAKE) generate
	git diff --exit-code -- handlers/adminapi frontend/src/api

proof: build ## every figure that is promised, one line each (LONG=1: full size)
	go run ./tools/gotest -proof -timeout 60m ./...
	@go test ./models/inventory -run '^$$' -fuzz FuzzParse -fuzztime $(FUZZTIME) >bin/fuzz.log 2>&1 || { tail -40 bin/fuzz.log; exit 1; }
	@echo "proof 4.3-fuzz time=$(FUZZTIME) crashes=0"
	./bin/demo unattended
	go build -tags mutant -o bin/server-mutant ./server
	./bin/demo unattended --server bin/server-mutant --mutant --expect-overlap
	./bin/demo nats
	./bin/demo crash
	$(MAKE) bench
	$(MAKE) e2e

bench: build ## speed, as ratios in one run, into docs/benchmarks.md
	go run ./tools/bench

e2e: build ## the console in a real browser against the real programs
	./bin/demo e2e

clean: ## what was built and what the demo keeps
	rm -rf bin .run .cache frontend/node_modules
	find frontend/dist -mindepth 1 ! -name index.html -delete
