package bus_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

func TestBus_ConsumerTakesEveryEventOnceInOrder(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var seen []int64
		b, err := bus.New(bus.Config{DB: db, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Consumers: []bus.Consumer{{
			Name: "billing", Producers: []corehour.Producer{corehour.ProducerExchange},
			Take: func(_ context.Context, _ *sql.Tx, events []corehour.Event) error {
				for _, e := range events {
					seen = append(seen, e.Sequence)
				}
				return nil
			},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		run, stop := context.WithCancel(ctx)
		go func() { done <- b.Run(run) }()
		var last int64
		for i := range 50 {
			err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
				var events []corehour.Event
				for j := range 40 {
					e, err := bus.NewEvent("exchange.test.happened.v1", corehour.Instant(i), fmt.Sprint("thing-", j), map[string]int{"n": j})
					if err != nil {
						return err
					}
					events = append(events, e)
				}
				err := bus.Append(ctx, tx, corehour.ProducerExchange, events)
				last = events[len(events)-1].Sequence
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			b.Committed(corehour.ProducerExchange)
		}
		if err := b.WaitFor(ctx, "billing", corehour.ProducerExchange, last); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(seen) != 2000 {
			t.Fatalf("took %d events, want 2000", len(seen))
		}
		for i, s := range seen {
			if s != int64(i)+1 {
				t.Fatalf("event %d is number %d", i, s)
			}
		}
	})
}
