package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/corehour/corehour/internal/testenv"
)

// realReplay are the options of a replay of a real log on the real market.
func realReplay(t testing.TB, log string) *replayOptions {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	return &replayOptions{
		jobs: testenv.DataFile(t, "demand", log), prices: testenv.DataFile(t, "price", "gcp-vm-2024-03.derived.csv"),
		carbon: testenv.DataFile(t, "carbon", "gcp-region-carbon", "2024.csv"), machine: "n2-standard-8", capacity: 64,
		out: out, dataDir: filepath.Join(out, "data"), start: "2024-01-01T00:00:00Z", feeBps: 100,
	}
}

const (
	nasaLog  = "NASA-iPSC-1993-3.1-cln.swf.gz"
	hpc2nLog = "HPC2N-Seth-2002-first3170.swf.gz"
)

// BenchmarkReplay runs NASA's log through the whole pipeline from a cold
// directory, then opens that directory again.
func BenchmarkReplay(b *testing.B) {
	debug.SetGCPercent(gcPercent) // as main does
	for b.Loop() {
		o := realReplay(b, nasaLog)
		began := time.Now()
		if err := o.run(b.Context()); err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		reopened := time.Now()
		s, err := openService(b.Context(), (&replay{options: o, clock: &manualClock{}}).serviceConfig())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(reopened).Milliseconds()), "restart-ms")
		if err := s.close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(18_239/took.Seconds(), "jobs/s")
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(usage.Maxrss)/1024, "peak-MB")
		if err := os.RemoveAll(o.out); err != nil {
			b.Fatal(err)
		}
	}
}
