package metering_test

import (
	"fmt"
	"testing"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/testenv"
	"github.com/corehour/corehour/metering"
)

// BenchmarkReport takes in batches of 500 new records over 100 running leases,
// each batch durable before the next one.
func BenchmarkReport(b *testing.B) {
	const size, leases = 500, 100
	w := newWorld(b, testenv.SQLite(b))
	end := start.Add(corehour.MaxDuration)
	for id := corehour.LeaseID(1); id <= leases; id++ {
		w.take(w.matched(id, prov, 1_000, start, end), w.started(id))
	}
	w.clock.set(end.Instant())
	batch := make([]metering.Record, size)
	n := 0
	b.ResetTimer()
	for b.Loop() {
		for i := range batch {
			minutes := corehour.Instant(n / leases % int(corehour.MaxDuration))
			batch[i] = rec(fmt.Sprintf("host-17:2024-01:%09d", n), corehour.LeaseID(n%leases+1), minutes, minutes+1, cpu(700, 1))
			n++
		}
		for _, r := range w.report(prov, batch...) {
			if r.Status != metering.StatusAccepted {
				b.Fatalf("%+v", r)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkConsumer takes the lives of new leases (matched, started, ended) in
// stretches as long as the bus hands over.
func BenchmarkConsumer(b *testing.B) {
	w := newWorld(b, testenv.SQLite(b))
	id := corehour.LeaseID(0)
	for b.Loop() {
		b.StopTimer()
		var events []corehour.Event
		for len(events)+3 <= corehour.MaxFeedEvents {
			id++
			events = append(events, w.matched(id, prov, 4, start, start.Add(150)), w.started(id),
				w.ended(id, corehour.StatusCompleted, at(60)))
		}
		b.StartTimer()
		w.take(events...)
	}
	b.ReportMetric(float64(id)/b.Elapsed().Seconds(), "leases/s")
}
