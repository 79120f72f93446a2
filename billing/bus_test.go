package billing

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/internal/testenv"
)

// liveExchange is the model of the exchange with a real outbox behind it: what it
// publishes comes back to billing over the bus.
type liveExchange struct {
	mu        sync.Mutex
	w         *world
	bus       *bus.Bus
	published int
}

func (x *liveExchange) PostCharges(ctx context.Context, charges []Charge) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.w.PostCharges(ctx, charges); err != nil {
		return err
	}
	return x.flush(ctx)
}

func (x *liveExchange) SettleLeases(ctx context.Context, leases []Settlement) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.w.SettleLeases(ctx, leases); err != nil {
		return err
	}
	return x.flush(ctx)
}

// flush writes what the model has published since into the exchange's outbox.
func (x *liveExchange) flush(ctx context.Context) error {
	events := append([]corehour.Event(nil), x.w.exchange.events[x.published:]...)
	err := x.w.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return bus.Append(ctx, tx, corehour.ProducerExchange, events)
	})
	if err == nil {
		x.published = len(x.w.exchange.events)
		x.bus.Committed(corehour.ProducerExchange)
	}
	return err
}

// TestService_SettlesOverTheBus runs billing as the server does: both feeds at
// once over the bus, and the dispatcher beside them.
func TestService_SettlesOverTheBus(t *testing.T) {
	testenv.Databases(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.open("acme", "Acme", 10_000*corehour.NanoPerUnit)
		w.open("norge", "Norge", 0)
		const leases = 60
		for range leases {
			l := standardLease("acme", "norge")
			l.TakeOrPay = 5_000
			id := w.match(l)
			w.use(id, 0, corehour.CPUHour)
			w.use(id, 1, corehour.CPUHour/7)
			w.end(id, corehour.StatusCompleted, january.Add(750).Instant())
			w.closeUsage(id)
		}
		x := &liveExchange{w: w}
		var err error
		w.service, err = New(Config{DB: db, Clock: w.clock, Exchange: x, Interval: 20 * time.Millisecond})
		w.must(err)
		x.bus, err = bus.New(bus.Config{
			DB: db, Logger: slog.New(slog.DiscardHandler), Poll: 20 * time.Millisecond,
			Consumers: []bus.Consumer{w.service.Consumer()},
		})
		w.must(err)

		ctx, cancel := context.WithTimeout(w.ctx, 30*time.Second)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() { _ = x.bus.Run(ctx) })
		running.Go(func() { _ = w.service.Run(ctx) })
		// Metering's feed first: much of it waits for its leases.
		w.must(db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return bus.Append(ctx, tx, corehour.ProducerMetering, append([]corehour.Event(nil), w.metering.events...))
		}))
		x.bus.Committed(corehour.ProducerMetering)
		x.mu.Lock()
		err = x.flush(ctx)
		x.mu.Unlock()
		w.must(err)
		settled := func() bool {
			return w.number(`SELECT COUNT(*) FROM billing_progress WHERE settled = 1`) == leases
		}
		for !settled() && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		running.Wait()
		if !settled() {
			t.Fatal("not every lease was settled in time")
		}
		w.checkBooks()
		if idle, err := w.service.Idle(w.ctx); err != nil || !idle {
			t.Errorf("not idle: %v", err)
		}
	})
}
