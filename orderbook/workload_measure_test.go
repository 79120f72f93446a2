package orderbook_test

import (
	"math/bits"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
)

// loadLatencies is a histogram of nanoseconds. Recording does not allocate: a
// value is exact below 128 ns and kept to within 1/64 of itself above.
type loadLatencies struct {
	counts [58 * loadSteps]uint32
	n      uint64
}

// loadSteps is how many buckets each doubling has.
const loadSteps = 64

func (l *loadLatencies) record(ns int64) {
	v := uint64(max(ns, 0))
	shift := max(bits.Len64(v)-7, 0)
	l.counts[shift*loadSteps+int(v>>shift)]++
	l.n++
}

// perMille is the latency that so many of a thousand do not exceed, at the upper
// edge of its bucket.
func (l *loadLatencies) perMille(q uint64) float64 {
	rank, seen := (l.n*q+999)/1000, uint64(0)
	for i, count := range l.counts {
		if seen += uint64(count); seen >= rank && seen > 0 {
			shift := max(i/loadSteps-1, 0)
			return float64((i-shift*loadSteps+1)<<shift - 1)
		}
	}
	return 0
}

// loadRounds collects the figures of a benchmark's rounds and reports the median
// of each, so that one round that the machine disturbed does not count.
type loadRounds map[string][]float64

func (r loadRounds) add(unit string, value float64) { r[unit] = append(r[unit], value) }

// latencies adds the percentiles that the targets are about.
func (r loadRounds) latencies(l *loadLatencies) {
	r.add("p50-ns", l.perMille(500))
	r.add("p99-ns", l.perMille(990))
	r.add("p99.9-ns", l.perMille(999))
}

func (r loadRounds) report(b *testing.B) {
	for unit, values := range r {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

// loadHeap is the memory in use once the garbage is gone.
func loadHeap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// loadCPU is the processor time that this process has used, the collector's
// included: on a machine that does other things too it says what the work cost.
func loadCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func loadMallocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}

func TestWorkload_PercentilesAreWithinTheirBucket(t *testing.T) {
	var l loadLatencies
	for ns := range int64(100_000) {
		l.record(ns)
	}
	for _, test := range []struct {
		perMille uint64
		least    float64
	}{{1, 99}, {500, 49_999}, {990, 98_999}, {999, 99_899}, {1000, 99_999}} {
		got := l.perMille(test.perMille)
		if got < test.least || got > test.least*65/64 {
			t.Errorf("%d per mille of 0..99999: %v, want %v and at most 1/64 more", test.perMille, got, test.least)
		}
	}
}
