package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// The baseline: the order of plainBid as one transaction of PostgreSQL, on tables
// that have what it needs and nothing else. It is given what helps it: each
// transaction is two round trips (what does not need an answer is pipelined with
// what does), statements are prepared, the best offer is the first of an index
// that a sale does not change, offers that another transaction holds are passed
// over, and every connection has buyers of its own, so that no two wait for the
// same account.
const (
	pgConnections = 64
	pgBuyers      = 16 // of each connection
	pgOffers      = 200
	pgOfferUnits  = 10_000_000
)

var pgTables = []string{
	`CREATE TABLE accounts (id bigint PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0), held bigint NOT NULL CHECK (held >= 0))`,
	`CREATE TABLE offers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, product text NOT NULL, region text NOT NULL, provider text NOT NULL,
		price bigint NOT NULL, open_units bigint NOT NULL CHECK (open_units >= 0), delivers_from bigint NOT NULL, delivers_to bigint NOT NULL) WITH (fillfactor = 50)`,
	// Without open_units in it, also as a condition, a sale does not touch the index.
	`CREATE INDEX offers_best ON offers (product, region, price, id)`,
	`CREATE TABLE bids (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account bigint NOT NULL REFERENCES accounts, client_id text NOT NULL,
		product text NOT NULL, region text NOT NULL, units bigint NOT NULL, filled bigint NOT NULL DEFAULT 0, duration bigint NOT NULL,
		earliest_start bigint NOT NULL, latest_end bigint NOT NULL, limit_price bigint NOT NULL, UNIQUE (account, client_id)) WITH (fillfactor = 80)`,
	`CREATE TABLE fills (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, bid bigint NOT NULL REFERENCES bids, offer bigint NOT NULL,
		units bigint NOT NULL, price bigint NOT NULL, starts bigint NOT NULL, ends bigint NOT NULL)`,
}

const (
	pgHold = `UPDATE accounts SET available = available - $2, held = held + $2 WHERE id = $1 AND available >= $2`
	pgBid  = `INSERT INTO bids (account, client_id, product, region, units, duration, earliest_start, latest_end, limit_price)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`
	pgBest = `SELECT id, price FROM offers WHERE product = $1 AND region = $2 AND open_units >= $3 AND price <= $4
		AND delivers_from <= $5 AND delivers_to >= $6 ORDER BY price, id LIMIT 1 FOR UPDATE SKIP LOCKED`
	pgFill     = `INSERT INTO fills (bid, offer, units, price, starts, ends) VALUES ($1, $2, $3, $4, $5, $6)`
	pgSell     = `UPDATE offers SET open_units = open_units - $2 WHERE id = $1`
	pgFilled   = `UPDATE bids SET filled = filled + $2 WHERE id = $1`
	pgStock    = `INSERT INTO offers (product, region, provider, price, open_units, delivers_from, delivers_to) VALUES ($1, $2, 'provider', $3, $4, $5, $6)`
	pgAccounts = `INSERT INTO accounts SELECT n, $2, 0 FROM generate_series(0, $1 - 1) AS n`
)

// pgSettings are those of every connection.
func (b *bench) pgSettings(schema string) (*pgx.ConnConfig, error) {
	settings, err := pgx.ParseConfig(b.databaseURL)
	if err != nil {
		return nil, err
	}
	settings.RuntimeParams["search_path"] = schema
	settings.RuntimeParams["synchronous_commit"] = "on"
	return settings, nil
}

// reachPostgres finds out before minutes have passed that a server is not there.
func (b *bench) reachPostgres(ctx context.Context) error {
	if b.databaseURL == "" {
		return nil
	}
	db, err := database.Open(ctx, database.Config{URL: b.databaseURL})
	switch {
	case corehour.KindOf(err) == corehour.KindInvalid:
		return &usageError{err}
	case err != nil:
		return err
	}
	return db.Close()
}

// measurePostgres runs the transactions from 64 connections. Without a URL the
// key is null.
func (b *bench) measurePostgres(ctx context.Context) (err error) {
	if b.databaseURL == "" {
		b.say("%s: not measured, there is no --database-url", keyPostgres)
		return nil
	}
	var suffix [8]byte
	_, _ = rand.Read(suffix[:]) // it never fails; it ends the program instead
	schema := "corehour_bench_" + hex.EncodeToString(suffix[:])
	settings, err := b.pgSettings(schema)
	if err != nil {
		return err
	}
	admin, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("--database-url: %w", err)
	}
	defer func() {
		// Also where it was interrupted.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, dropped := admin.Exec(last, "DROP SCHEMA IF EXISTS "+schema+" CASCADE")
		err = errors.Join(err, dropped, admin.Close(last))
	}()
	market := newPgMarket(corehour.InstantOf(time.Now()))
	if err := market.create(ctx, admin, schema); err != nil {
		return err
	}
	var version, fsync string
	if err := admin.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('fsync')`).Scan(&version, &fsync); err != nil {
		return err
	}
	b.say("%s: PostgreSQL %s", keyPostgres, version)
	rate, err := market.load(ctx, settings, b.duration)
	if err != nil {
		return err
	}
	b.figures[keyPostgres] = rate
	b.detail("postgres_version", version, "postgres: version %s, synchronous_commit on, fsync %s%s", version, fsync,
		map[string]string{"off": ": IT IS FASTER THAN A DURABLE ONE"}[fsync])
	b.detail("postgres_fsync", fsync, "")
	for _, key := range []string{keyDurable, keyBatch} {
		if b.figures[key] > 0 {
			b.detail(key+"_over_postgres", round(b.figures[key]/rate), "postgres: %s is %s times as much", key, figure(b.figures[key]/rate))
		}
	}
	return nil
}

// pgMarket is plainMarket in tables.
type pgMarket struct {
	from corehour.Minute
	to   corehour.Minute
}

func newPgMarket(now corehour.Instant) *pgMarket {
	from := now.CeilMinute().Add(60)
	return &pgMarket{from: from, to: from.Add(1440)}
}

func (m *pgMarket) create(ctx context.Context, conn *pgx.Conn, schema string) error {
	for _, statement := range append([]string{"CREATE SCHEMA " + schema}, pgTables...) {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if _, err := conn.Exec(ctx, pgAccounts, pgConnections*pgBuyers, int64(benchBuyerFunds)); err != nil {
		return err
	}
	for region := range benchRegions {
		for n := range pgOffers {
			price := corehour.Price(offerFrom+n) * corehour.Tick
			if _, err := conn.Exec(ctx, pgStock, "cpu.standard", string(benchRegion(region)), int64(price), pgOfferUnits,
				int64(m.from.Add(-60)), int64(m.to.Add(30*1440))); err != nil {
				return err
			}
		}
	}
	_, err := conn.Exec(ctx, "ANALYZE accounts, offers")
	return err
}

func (m *pgMarket) load(ctx context.Context, settings *pgx.ConnConfig, last time.Duration) (float64, error) {
	connections := make([]*pgx.Conn, pgConnections)
	var failure error
	for i := range connections {
		conn, err := pgx.ConnectConfig(ctx, settings)
		if err != nil {
			return 0, errors.Join(err, closeAll(ctx, connections[:i]))
		}
		connections[i] = conn
	}
	var mu sync.Mutex
	var done int
	var work sync.WaitGroup
	began := time.Now()
	until := began.Add(last)
	for i, conn := range connections {
		work.Go(func() {
			var n int
			var err error
			for ; err == nil && time.Now().Before(until); n++ {
				err = m.order(ctx, conn, i, n)
			}
			mu.Lock()
			defer mu.Unlock()
			done += n
			failure = firstError(failure, err)
		})
	}
	work.Wait()
	rate := float64(done) / time.Since(began).Seconds()
	return rate, errors.Join(failure, closeAll(ctx, connections))
}

func closeAll(ctx context.Context, connections []*pgx.Conn) error {
	var err error
	for _, conn := range connections {
		err = errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	return err
}

// order is one transaction: hold the funds, insert the bid, find and lock the
// best offer; where there is one, insert the fill and update both.
func (m *pgMarket) order(ctx context.Context, conn *pgx.Conn, who, n int) error {
	bid := plainBid(m.from.Add(-1).Instant(), who, n)
	account, region := int64(who*pgBuyers+n%pgBuyers), string(bid.Regions.Allow[0])
	const units, minutes = 1, 60
	ends := m.from.Add(minutes)
	var id, offer, price int64
	first := &pgx.Batch{}
	first.Queue("BEGIN")
	first.Queue(pgHold, account, int64(corehour.Cost(bid.Limit, units, minutes))).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 {
			return errors.New("the funds do not cover the order")
		}
		return nil
	})
	first.Queue(pgBid, account, bid.ClientID, string(bid.Product), region, units, minutes, int64(m.from), int64(m.to), int64(bid.Limit)).
		QueryRow(func(row pgx.Row) error { return row.Scan(&id) })
	found := true
	first.Queue(pgBest, string(bid.Product), region, units, int64(bid.Limit), int64(m.from), int64(ends)).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&offer, &price)
		if errors.Is(err, pgx.ErrNoRows) {
			found = false
			return nil
		}
		return err
	})
	if err := conn.SendBatch(ctx, first).Close(); err != nil {
		return err
	}
	if fills := n%2 == 0; fills != found {
		return fmt.Errorf("order %d of %d: an offer was found: %t", n, who, found)
	}
	second := &pgx.Batch{}
	if found {
		second.Queue(pgFill, id, offer, units, price, int64(m.from), int64(ends))
		second.Queue(pgSell, offer, units)
		second.Queue(pgFilled, id, units)
	}
	second.Queue("COMMIT")
	return conn.SendBatch(ctx, second).Close()
}
