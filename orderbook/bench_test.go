package orderbook_test

import (
	"fmt"
	"os"
	"testing"
)

// Every iteration of these benchmarks is a round: a whole workload on a book of
// its own, checked against the reference. The figures are the medians of the
// rounds, so -benchtime 5x gives medians of five. ns/op and ns/fill of W1 to W4
// are processor time; latencies are what the clock on the wall says, the time of
// reading it included.

// loadOperations is how many operations a round of W1 and W2 measures.
const loadOperations = 1_000_000

// loadSweeps is how many orders a round of W3 measures.
const loadSweeps = 500

// loadLargeVariable in the environment adds the books of 4 million orders.
const loadLargeVariable = "COREHOUR_BENCH_LARGE"

func loadSizes() []int {
	sizes := []int{10_000, 100_000, 1_000_000}
	if os.Getenv(loadLargeVariable) != "" {
		sizes = append(sizes, 4_000_000)
	}
	return sizes
}

func loadSizeName(n int) string {
	if n == 0 {
		return "empty"
	}
	if n >= 1_000_000 {
		return fmt.Sprintf("%dM", n/1_000_000)
	}
	return fmt.Sprintf("%dk", n/1_000)
}

// BenchmarkW1 is a plain market of one delivery hour. It begins with an empty
// book, or with so many resting orders.
func BenchmarkW1(b *testing.B) {
	b.Run("empty", func(b *testing.B) { benchmarkPlain(b, func() *loadScript { return loadW1(0, loadOperations, 0) }) })
	b.Run("100-orgs", func(b *testing.B) { benchmarkPlain(b, func() *loadScript { return loadW1(0, loadOperations, 100) }) })
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			benchmarkPlain(b, func() *loadScript { return loadW1(n, loadOperations, 0) })
		})
	}
}

// BenchmarkW2 adds and cancels orders in a book of many, over 20,000 levels on
// each side.
func BenchmarkW2(b *testing.B) {
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			benchmarkPlain(b, func() *loadScript { return loadW2(n, loadOperations) })
		})
	}
}

// BenchmarkW3 sweeps through hundreds of orders on many levels with each order.
func BenchmarkW3(b *testing.B) {
	for _, n := range loadSizes() {
		b.Run(loadSizeName(n), func(b *testing.B) {
			script := loadW3(n, loadSweeps)
			rounds := loadRounds{}
			for b.Loop() {
				b.StopTimer()
				var latencies loadLatencies
				run := newLoadRun(script)
				run.setup(b)
				b.StartTimer()
				run.sweep(b, rounds, &latencies)
				b.StopTimer()
				run.finish(b)
				rounds.latencies(&latencies)
				b.StartTimer()
			}
			rounds.report(b)
		})
	}
}

// benchmarkPlain has two passes a round, because a clock read for every
// operation would be part of its time.
func benchmarkPlain(b *testing.B, makeScript func() *loadScript) {
	script := makeScript()
	rounds := loadRounds{}
	for b.Loop() {
		b.StopTimer()
		run := newLoadRun(script)
		heap := loadHeap()
		run.setup(b)
		if script.live > 0 {
			rounds.add("B/order", float64(loadHeap()-heap)/float64(script.live))
		}
		b.StartTimer()
		run.throughput(b, rounds)
		b.StopTimer()
		run.finish(b)

		var latencies loadLatencies
		run = newLoadRun(script)
		run.setup(b)
		run.clocked(script.ops, len(script.setup), &latencies)
		run.finish(b)
		rounds.latencies(&latencies)
		b.StartTimer()
	}
	rounds.add("fills/op", float64(script.wantOps.fills)/float64(len(script.ops)))
	rounds.add("live-after", float64(script.liveAfter))
	rounds.report(b)
}
