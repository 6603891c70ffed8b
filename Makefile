# What a developer runs. `go test ./...` needs nothing of this.

.PHONY: all generate check-generated lint test test-race test-privileged fuzz bench bench-fib peers demo

all: lint test

# The XDP programs: needs clang 14, llvm-strip 14 and libbpf's headers.
generate:
	go generate ./...

# Fails if a committed object is not what its source gives.
check-generated:
	./xdp/bpf/check.sh
	./bench/traffic/bpf/check.sh
	./bench/lpm/bpf/check.sh

lint:
	gofmt -l . | (! grep .)
	go vet ./...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run

test:
	go test ./...

test-race:
	go test -race ./...

# As root: fails instead of skipping what needs privilege.
test-privileged:
	FWD6_PRIVILEGED=1 go test -count=1 ./...

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 30s
fuzz:
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "== $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

bench:
	go test -run '^$$' -bench . -skip '^BenchmarkFIB$$' -benchmem ./bench/...

# The table beside others. FIBBENCH=-quick takes 3 minutes, without it an hour or two.
FIBBENCH ?= -quick
bench-fib:
	go run ./bench/fibbench $(FIBBENCH)

# What other forwarders look up with, for bench/fibbench: needs DPDK
# (apt-get install libdpdk-dev pkg-config).
peers: bench/peers/rte_fib6

bench/peers/rte_fib6: bench/peers/rte_fib6.c
	cc -O3 -march=native -Wall -Wextra -Werror -o $@ $< $$(pkg-config --cflags --libs libdpdk)

demo:
	go run ./cmd/fwd6 demo
