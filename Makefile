# What a person or the continuous integration does with this repository. Only Go
# is needed; the tests bring their own PostgreSQL and Redis (scripts/test-services).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

# One linter, at a fixed version, built through the Go proxy.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The longest that the tests of one package may take.
TEST_TIMEOUT := 15m
# Which benchmarks, and for how long each.
BENCH := .
BENCHTIME := 1s

.PHONY: demo
demo: ## a seeded market with simulated traders on a scratch directory
	go run ./cmd/corehour demo

.PHONY: build
build: ## static binaries in ./bin
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: test
test: ## all tests, on SQLite and on a private PostgreSQL and Redis
	scripts/test-services go test -timeout $(TEST_TIMEOUT) ./...

.PHONY: race
race: ## all tests under the race detector, which needs a C compiler
	scripts/test-services go test -race -timeout $(TEST_TIMEOUT) ./...

# How often the server is killed.
KILLS := 200

.PHONY: soak
soak: ## what takes long: KILLS=200 kills under load, and every bit of a small log flipped
	go test -count=1 -timeout 60m -v -run '^TestKill' ./cmd/corehour -args -kills $(KILLS)
	go test -count=1 -timeout 180m -v -run '^TestDamage_FlippedBitsOfTheLog' ./exchange -args -every-bit

.PHONY: simulate
simulate: ## the core on simulated I/O, crashes and power cuts included; SEEDS=10000, FROM=1
	COREHOUR_SIM_SEEDS=$(SEEDS) COREHOUR_SIM_FROM=$(FROM) go test -count=1 -v -timeout 24h -run '^TestSimulation$$' ./exchange

.PHONY: check
check: ## format, vet, staticcheck, the architecture's arrows, generated files
	@unformatted=$$(gofmt -l .); if [[ -n $$unformatted ]]; then echo "gofmt: not formatted:" $$unformatted >&2; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...
	go test -count=1 -run 'TestArchitecture|TestRepository' .
	scripts/check-generated

.PHONY: bench
bench: ## benchmarks; BENCH=regexp chooses, BENCHTIME=5s runs longer
	scripts/test-services go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem -timeout 60m ./...

# Arguments of corehour bench, such as --only durable_p99_ms.
BENCHARGS :=

.PHONY: bench-json
bench-json: ## corehour bench as JSON, beside a private PostgreSQL that syncs; BENCHARGS='--only KEY' picks
	@CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/corehour
	@COREHOUR_TEST_POSTGRES_DURABLE=1 scripts/test-services bash -c 'DATABASE_URL=$$COREHOUR_TEST_POSTGRES_URL exec bin/corehour bench --json "$$@"' bench $(BENCHARGS)

# A value adds the books of 4 million orders to the tables.
LARGE :=
# How many seeds of the simulation, and the first of them.
SEEDS := 10000
FROM := 1

.PHONY: book-table
book-table: ## the tables of docs/performance.md for the order book, W1 to W6; LARGE=1 adds 4M orders
	COREHOUR_BENCH_LARGE=$(LARGE) go test -run '^$$' -bench '^BenchmarkW[1-6](Steady)?$$' -benchtime 5x -benchmem -timeout 60m ./orderbook | scripts/book-table

.PHONY: generate
generate: ## the generated files, from the shared data
	go generate ./...

.PHONY: clean
clean: ## what build made
	rm -rf bin

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'
