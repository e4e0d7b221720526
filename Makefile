# Needs Go alone, except where a target says otherwise. `make demo` and `make test` are the two to know.
GO ?= go
export CGO_ENABLED ?= 0
# Everywhere, or not at all: else the binary, the tests and the cross builds each compile the standard library anew.
export GOFLAGS := $(filter-out -trimpath,$(GOFLAGS)) -trimpath
# The race detector needs cgo, hence a C compiler; without one the tests run all the same, without it.
RACE ?= $(if $(shell command -v gcc || command -v clang),-race)

.PHONY: build demo test race vet lint compat grid plays nginx bench fuzz soak fleet cross qemu zoslint clean

build: ## the binary, ./throng
	$(GO) build -o throng ./cmd/throng

demo: build ## an example test against a built-in server; no network
	./throng demo

test: build vet ## every test, under the race detector; compat needs python3, test/nginx needs nginx: else they are skipped, and say so
	CGO_ENABLED=$(if $(RACE),1,0) THRONG_BIN=$(CURDIR)/throng $(GO) test $(RACE) -timeout 20m ./...

race: ## the short tests under the race detector, whatever the cache says
	CGO_ENABLED=1 $(GO) test -race -short -count=1 -timeout 20m ./...

vet:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt: $$unformatted"; exit 1; fi
	$(GO) vet ./...

lint: vet ## golangci-lint, installed when it is missing
	@PATH="$$PATH:$$($(GO) env GOPATH)/bin"; command -v golangci-lint >/dev/null || $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@latest
	PATH="$$PATH:$$($(GO) env GOPATH)/bin" golangci-lint run

COMPAT ?=
compat: build ## the k6 cases; COMPAT='http-*' chooses (needs python3)
	THRONG_BIN=$(CURDIR)/throng COMPAT='$(COMPAT)' $(GO) test -count=1 -v -timeout 20m ./test/compat

PLAYS ?= all
grid: build ## plays on real grids; PLAYS=form,kill-leader chooses (needs python3; root, iproute2 and etcd-client for some)
	THRONG_BIN=$(CURDIR)/throng THRONG_PLAYS='$(PLAYS)' $(GO) test -count=1 -v -timeout 30m ./test/grid

plays: build ## the plays that take longer; half an hour
	test/grid/deaths --bin ./throng
	test/grid/ends --bin ./throng

nginx: build ## our counts against a real server's log (needs nginx)
	THRONG_BIN=$(CURDIR)/throng $(GO) test -count=1 -v ./test/nginx

ROUNDS ?= 3
bench: build ## the speed comparison with the peers that are installed (needs python3, /usr/bin/time, taskset)
	bench/run --bin ./throng --peer k6 --peer wrk --peer hey --rounds $(ROUNDS)

FUZZTIME ?= 10s
fuzz: ## every fuzz target for FUZZTIME
	@set -e; for package in $$(grep -rl --include='*_test.go' '^func Fuzz' internal | xargs -n1 dirname | sort -u); do \
	  for target in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$package/*_test.go | sed 's/func //'); do \
	    echo "--- $$package $$target"; $(GO) test ./$$package -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); \
	  done; \
	done

SOAK ?= 10m
soak: build ## one long run; memory must not grow
	THRONG_BIN=$(CURDIR)/throng THRONG_SOAK=$(SOAK) $(GO) test -count=1 -v -timeout 0 -run TestSoak ./test/scenario

FLEET ?= 1000
fleet: build ## what the leader of FLEET nodes takes; wants the machine for itself
	$(GO) test -count=1 -v -timeout 10m -run TestWhatTheLeaderOfAFleetCosts ./internal/node -fleet $(FLEET) -fleet.bin $(CURDIR)/throng

cross: ## the binary for every promised system, into dist/
	tools/cross

qemu: build ## an example on s390x (needs qemu-user-static)
	test -x dist/throng-linux-s390x || tools/cross linux/s390x
	tools/qemu

zoslint: ## build constraints of the whole dependency tree for z/OS
	$(GO) run ./tools/zoslint -known tools/zoslint/known.txt

clean:
	rm -rf throng dist
