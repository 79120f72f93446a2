package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/api"
	"github.com/corehour/corehour/billing"
	"github.com/corehour/corehour/exchange"
	"github.com/corehour/corehour/exchange/log"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/config"
	"github.com/corehour/corehour/internal/database"
	"github.com/corehour/corehour/metering"
	"github.com/corehour/corehour/providers"
)

// service is all parts of one node, wired: what serve, demo and replay run.
type service struct {
	db        *database.DB
	bus       *bus.Bus
	exchange  *exchange.Exchange
	metering  *metering.Service
	billing   *billing.Service
	providers *providers.Service
	keys      *api.Keys
	logger    *slog.Logger

	lock *os.File
	stop context.CancelFunc
	work sync.WaitGroup
}

// Files of a data directory.
const (
	lockFile    = "lock"
	logDir      = "log"
	markFile    = "acknowledged"
	snapshotDir = "snapshots"
	sqliteFile  = "corehour.db"
	keyFile     = "token-key.pem"
)

// How often the parts look for work where nobody woke them.
const (
	tickEvery  = 200 * time.Millisecond
	closeEvery = time.Second
)

// serviceConfig is what wiring needs beyond the settings of the server.
type serviceConfig struct {
	config.Server
	Clock corehour.Clock
	// ManualTime leaves the passing of time to the commands: a replay's clock does
	// not run by itself.
	ManualTime bool
	Logger     *slog.Logger
}

// openService opens everything that lasts, in the order in which the data flows,
// and starts what runs by itself. On an error nothing stays open.
func openService(ctx context.Context, c serviceConfig) (s *service, err error) {
	s = &service{logger: c.Logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.lock, err = lockDataDir(c.DataDir); err != nil {
		return s, err
	}
	if s.keys, err = api.LoadOrCreateKeys(keyPath(c.Server), rand.Reader); err != nil {
		return s, err
	}
	if s.db, err = database.Open(ctx, databaseConfig(c.Server)); err != nil {
		return s, err
	}
	if err = s.wire(c); err != nil {
		return s, err
	}
	if err = s.migrate(ctx); err != nil {
		return s, err
	}
	exchangeConfig := exchangeConfig(c, s.db)
	exchangeConfig.Projected = func(events []corehour.Event) { s.bus.Committed(corehour.ProducerExchange, events...) }
	if s.exchange, err = exchange.Open(ctx, exchangeConfig); err != nil {
		return s, err
	}
	s.run(ctx)
	return s, s.applySettings(ctx, c.Server)
}

func databaseConfig(c config.Server) database.Config {
	if c.DatabaseURL != "" {
		return database.Config{URL: c.DatabaseURL}
	}
	return database.Config{Path: filepath.Join(c.DataDir, sqliteFile)}
}

func keyPath(c config.Server) string { return cmp.Or(c.TokenKey, filepath.Join(c.DataDir, keyFile)) }

func logConfig(c config.Server) log.Config {
	return log.Config{Dir: filepath.Join(c.DataDir, logDir), URL: c.NATSURL, Replicas: c.NATSReplicas}
}

func exchangeConfig(c serviceConfig, db *database.DB) exchange.Config {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	x := exchange.Config{
		Log:         logConfig(c.Server),
		MarkFile:    filepath.Join(c.DataDir, markFile),
		SnapshotDir: filepath.Join(c.DataDir, snapshotDir), DB: db, Clock: c.Clock, Logger: c.Logger,
		// The host is for people; what follows tells two processes apart.
		Writer:    host + "/" + rand.Text()[:8],
		Retention: exchange.Retention{Archive: c.LogArchive, Drop: c.LogKeep == config.LogKeepRecent},
	}
	if !c.ManualTime {
		x.TickEvery = tickEvery
	}
	return x
}

// wire makes the parts; each learns of the others only through what it declared
// that it asks.
func (s *service) wire(c serviceConfig) (err error) {
	s.metering, err = metering.New(metering.Config{
		DB: s.db, Clock: c.Clock, Grace: c.UsageGrace, CloseEvery: closeEvery, Logger: c.Logger,
		Committed: func() { s.bus.Committed(corehour.ProducerMetering) },
	})
	if err != nil {
		return err
	}
	s.billing, err = billing.New(billing.Config{
		DB: s.db, Clock: c.Clock, Exchange: charging{s}, Logger: c.Logger,
		Committed: func() { s.bus.Committed(corehour.ProducerBilling) },
	})
	if err != nil {
		return err
	}
	if s.providers, err = providers.New(providers.Config{DB: s.db, Logger: c.Logger}); err != nil {
		return err
	}
	s.bus, err = bus.New(bus.Config{
		DB: s.db, RedisURL: c.RedisURL, Logger: c.Logger,
		Consumers: []bus.Consumer{s.metering.Consumer(), s.billing.Consumer(), s.providers.Consumer()},
	})
	return err
}

func (s *service) migrate(ctx context.Context) error {
	for _, part := range []interface{ Migrate(context.Context) error }{s.bus, s.metering, s.billing, s.providers} {
		if err := part.Migrate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// run starts what runs by itself. None of them ends before close, but for a
// failure that it has logged.
func (s *service) run(ctx context.Context) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	for name, part := range map[string]interface{ Run(context.Context) error }{
		"bus": s.bus, "metering": s.metering, "billing": s.billing,
	} {
		s.work.Go(func() {
			if err := part.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				s.logger.Error("a part of the service has stopped", "part", name, "error", err)
			}
		})
	}
}

// applySettings brings the settings that live in the log up to date.
// The rules of leases are only those that a new exchange begins with, because an
// operator changes them while it runs.
func (s *service) applySettings(ctx context.Context, c config.Server) error {
	var commands []exchange.Command
	if s.exchange.Fee() != corehour.BasisPoints(c.FeeBps) {
		commands = append(commands, exchange.SetFee{Fee: corehour.BasisPoints(c.FeeBps)})
	}
	if _, set := s.exchange.LeaseRules(); !set && c.LeaseRules == config.LeaseRulesStandard {
		commands = append(commands, exchange.SetLeaseRules{Rules: corehour.StandardLeaseRules()})
	}
	return s.do(ctx, commands...)
}

// do submits commands that must not be rejected.
func (s *service) do(ctx context.Context, commands ...exchange.Command) error {
	for _, cmd := range commands {
		reply, err := s.exchange.Submit(ctx, cmd)
		if err != nil {
			return err
		}
		if reply.Rejected() {
			return corehour.Errorf(corehour.KindRejected, reply.Code, "%T: %s", cmd, reply.Message)
		}
	}
	return nil
}

// serve answers HTTP until the context ends, or the exchange cannot go on, and
// requests in flight are done.
func (s *service) serve(ctx context.Context, listener net.Listener) error {
	server, err := api.New(api.Config{
		Exchange: s.exchange, Deliveries: s.providers, Metering: currentMetering{s.metering, s}, Billing: s.billing, Ledger: ledger{s},
		Keys: s.keys, TokenClock: corehour.SystemClock{}, Ready: s.ready, Version: version(), Logger: s.logger,
		AccessLevel: slog.LevelDebug,
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.work.Go(func() {
		select {
		case <-s.exchange.Failed():
			stop()
		case <-ctx.Done():
		}
	})
	return server.Serve(ctx, listener)
}

func (s *service) ready(ctx context.Context) error {
	if err := s.exchange.Ready(ctx); err != nil {
		return err
	}
	return s.db.Reader().PingContext(ctx)
}

// close ends everything in the order in which the data flows: the parts that
// submit commands, the exchange (which flushes and writes its snapshot), the bus
// with what it had in hand, the database.
func (s *service) close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.exchange != nil {
		err = s.exchange.Close()
	}
	if s.stop != nil {
		s.stop()
	}
	s.work.Wait()
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// lockDataDir makes sure that no other process works in the data directory. The
// lock goes with the process, however that ends.
func lockDataDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory %s is in use by another corehour process", dir), f.Close())
	}
	return f, nil
}

// charging lets billing post charges and settle leases in the exchange's log.
type charging struct{ s *service }

// PostCharges submits charges in their order.
func (c charging) PostCharges(ctx context.Context, charges []billing.Charge) error {
	commands := make([]exchange.Command, len(charges))
	for i, ch := range charges {
		commands[i] = exchange.PostCharge{Lease: ch.Lease, Number: ch.Number, Kind: ch.Kind, Hour: ch.Hour, Amount: ch.Amount}
	}
	return c.submitAll(ctx, commands)
}

// SettleLeases submits settlements in their order.
func (c charging) SettleLeases(ctx context.Context, leases []billing.Settlement) error {
	commands := make([]exchange.Command, len(leases))
	for i, l := range leases {
		commands[i] = exchange.SettleLease{Lease: l.Lease, Charges: l.Charges}
	}
	return c.submitAll(ctx, commands)
}

// submitAll enqueues all commands before it waits for the first answer, so that
// they share appends. A lease that is settled already took the same command
// before: that is a repeat. One that was disputed a moment ago is settled when
// billing has heard that the dispute is resolved.
func (c charging) submitAll(ctx context.Context, commands []exchange.Command) error {
	var failure error
	pending := make([]*exchange.Pending, 0, len(commands))
	for _, cmd := range commands {
		p, err := c.s.exchange.Enqueue(ctx, cmd)
		if err != nil {
			failure = err
			break
		}
		pending = append(pending, p)
	}
	for _, p := range pending {
		reply, err := p.Wait(ctx)
		if err == nil && reply.Rejected() && reply.Code != exchange.CodeClosed && reply.Code != exchange.CodeDisputed {
			err = corehour.Errorf(corehour.KindRejected, reply.Code, "%s", reply.Message)
		}
		failure = errors.Join(failure, err)
	}
	return failure
}
