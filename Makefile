# rmilter: make help says what there is.
GO      ?= go
OUT     := bin
VERSION := $(shell sed -n 's/^const Version = "\(.*\)"/\1/p' internal/metrics/*.go)
LDFLAGS := -s -w
FUZZTIME ?= 1m
BENCHTIME ?= 2s
STATICCHECK := $(GO) tool -modfile=internal/tools/go.mod staticcheck
PLATFORMS := linux/amd64 linux/arm64 freebsd/amd64 freebsd/arm64

.PHONY: help build run test check cross generate drill fuzz fuzz-short bench bench-short clean

help: ## say what there is
	@echo "rmilter $(VERSION)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

build: ## build bin/rmilter and bin/rmilterctl
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(OUT)/ ./cmd/rmilter ./cmd/rmilterctl

run: build ## start rmilter on 127.0.0.1:9900 with its state in run/, and say how to try it
	@sh test/run.sh

test: ## install what the tests need, then run every kind of test once
	@sh test/install.sh
	$(MAKE) check
	$(MAKE) cross PLATFORMS="linux/arm64 freebsd/amd64"
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -bench . -benchtime 1x -timeout 20m ./...
	$(MAKE) fuzz-short bench-short

check: ## gofmt, go vet, staticcheck (generated files and house rules are tests)
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-clean:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

cross: ## build for every platform
	@for p in $(PLATFORMS); do \
		echo "build $$p"; \
		CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -o /dev/null ./cmd/... || exit 1; \
	done

generate: ## make the generated files anew
	$(GO) test ./internal/config -update

drill: ## the full counts and durations: restarts under load, odd traffic, 200 clients for a minute
	@sh test/install.sh
	RMILTER_DRILL=1 CGO_ENABLED=1 $(GO) test -race -shuffle=on -count=1 -timeout 60m ./test/... ./internal/filter

fuzz: ## every fuzzer for FUZZTIME (1m)
	@FUZZTIME=$(FUZZTIME) GO=$(GO) sh test/fuzz.sh

fuzz-short:
	@FUZZTIME=1000x GO=$(GO) sh test/fuzz.sh

bench: build ## benchmarks, and messages/s, latency, CPU and memory through the milter port
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
	@GO=$(GO) sh test/bench.sh

bench-short: build
	@GO=$(GO) BENCH_SHORT=1 sh test/bench.sh

clean: ## remove what make built
	rm -rf $(OUT)
