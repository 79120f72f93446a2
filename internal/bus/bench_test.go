package bus_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/testenv"
)

// BenchmarkBus is a producer that appends and three consumers that each write a
// row per transaction, on SQLite: what the replay of a trace asks of the bus.
func BenchmarkBus(b *testing.B) {
	const events, perTransaction = 180_000, 512
	for b.Loop() {
		db := testenv.SQLite(b)
		var consumers []bus.Consumer
		for _, name := range []string{"billing", "metering", "delivery"} {
			consumers = append(consumers, bus.Consumer{
				Name: name, Producers: []corehour.Producer{corehour.ProducerExchange},
				Take: func(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
					_, err := tx.ExecContext(ctx, `INSERT INTO seen (consumer, sequence) VALUES ($1, $2)`, name, events[0].Sequence)
					return err
				},
			})
		}
		bs := newBus(b, bus.Config{DB: db, Consumers: consumers})
		createSeen(b, db)
		run(b, bs)
		start := time.Now()
		var last int64
		for range events / perTransaction {
			last = appendEvents(b, db, bs, corehour.ProducerExchange, perTransaction)
		}
		appended := time.Since(start)
		for _, c := range consumers {
			if err := bs.WaitFor(b.Context(), c.Name, corehour.ProducerExchange, last); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(appended.Seconds(), "s-appending")
		b.ReportMetric(float64(last)/time.Since(start).Seconds(), "events/s")
	}
}
