package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/internal/database"
)

// engine is an exchange by itself on a directory: embedded log, synced, and its
// projection on SQLite, with nobody behind the outbox.
type engine struct {
	*exchange.Exchange
	db *database.DB
}

// drainWithin is short, because who closes an engine has waited for its
// projection, but for one who was interrupted.
const drainWithin = 2 * time.Second

func (b *bench) openEngine(ctx context.Context, dir string, clock corehour.Clock, projected func([]corehour.Event)) (e *engine, err error) {
	settings := serviceConfig{Server: config.Server{DataDir: dir}, Clock: clock, ManualTime: true, Logger: slog.New(slog.DiscardHandler)}
	e = &engine{}
	if e.db, err = database.Open(ctx, databaseConfig(settings.Server)); err != nil {
		return nil, err
	}
	outbox, err := bus.New(bus.Config{DB: e.db, Logger: settings.Logger})
	if err == nil {
		err = outbox.Migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, e.db.Close())
	}
	x := exchangeConfig(settings, e.db)
	x.Projected, x.DrainWithin = projected, drainWithin
	if e.Exchange, err = exchange.Open(ctx, x); err != nil {
		return nil, errors.Join(err, e.db.Close())
	}
	return e, nil
}

func (e *engine) close() error { return errors.Join(e.Exchange.Close(), e.db.Close()) }

// caughtUp returns once the projection has reached what is applied now.
func caughtUp(ctx context.Context, x *exchange.Exchange) error {
	for {
		_, err := x.Bids(ctx, exchange.BidQuery{Limit: 1})
		if err == nil || corehour.KindOf(err) != corehour.KindUnavailable || x.Ready(ctx) != nil {
			return err
		}
	}
}

// maxFed is how many commands a feeder has on their way.
const maxFed = 2 * exchange.MaxQueuedCommands

// feeder sends commands in their order without waiting for each, and looks at
// the answers in the same order.
type feeder struct {
	x       *exchange.Exchange
	answer  func(exchange.Reply) error
	pending []*exchange.Pending
	sent    int
}

func (f *feeder) feed(ctx context.Context, c exchange.Command) error {
	p, err := f.x.Enqueue(ctx, c)
	if err != nil {
		return err
	}
	f.sent++
	if f.pending = append(f.pending, p); len(f.pending) < maxFed {
		return nil
	}
	return f.settle(ctx, maxFed/2)
}

// settle waits for answers until so many are left to come.
func (f *feeder) settle(ctx context.Context, left int) error {
	done := len(f.pending) - left
	for _, p := range f.pending[:done] {
		reply, err := p.Wait(ctx)
		if err != nil {
			return err
		}
		if err := f.answer(reply); err != nil {
			return err
		}
	}
	f.pending = append(f.pending[:0], f.pending[done:]...)
	return nil
}

func mustRest(reply exchange.Reply) error {
	if reply.Rejected() || reply.Closed != "" {
		return fmt.Errorf("an order that was to rest was answered %s %s %s", reply.Code, reply.Message, reply.Closed)
	}
	return nil
}

func mustBeTaken(reply exchange.Reply) error {
	if reply.Rejected() {
		return fmt.Errorf("a command was rejected: %s %s", reply.Code, reply.Message)
	}
	return nil
}

func snapshotsOf(dir string) string { return filepath.Join(dir, snapshotDir) }
