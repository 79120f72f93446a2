package exchange

import (
	"context"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/exchange/log"
)

// projectedStore is a store that can be read back.
type projectedStore interface {
	projectionStore
	// last is how many events the outbox has, and read gives some of them.
	last() int64
	read(after int64, limit int) []corehour.Event
	// tables are all rows as text, by table and id.
	tables() []string
}

// flakyStore is a database that fails: before a commit, or after it, so that
// nobody hears that it took effect.
type flakyStore struct {
	s      *sim
	inside projectedStore
}

func (f *flakyStore) events() int64 { return f.inside.last() }

func (f *flakyStore) position(ctx context.Context) (log.Position, error) {
	if f.s.chance(f.s.traits.database / 3) {
		return log.Position{}, unavailable("the database does not answer", errSimulated)
	}
	return f.inside.position(ctx)
}

func (f *flakyStore) write(ctx context.Context, from, to log.Position, events []corehour.Event, rows *rowChanges) error {
	if f.s.chance(f.s.traits.database / 2) {
		return unavailable("the transaction failed", errSimulated)
	}
	if f.s.without == projectionSwap {
		at, err := f.inside.position(ctx)
		if err != nil {
			return err
		}
		from = at
	}
	f.s.meanwhile()
	err := f.inside.write(ctx, from, to, events, rows)
	f.s.meanwhile()
	if err == nil && f.s.chance(f.s.traits.database/2) {
		return unavailable("the commit was not acknowledged", errSimulated)
	}
	return err
}

// simTables are the exchange's tables and its outbox, in memory.
type simTables struct {
	at                   log.Position
	outbox               []corehour.Event
	offers, bids, leases map[uint64][]any
}

func newSimTables() *simTables {
	return &simTables{offers: make(map[uint64][]any), bids: make(map[uint64][]any), leases: make(map[uint64][]any)}
}

func (t *simTables) position(context.Context) (log.Position, error) {
	return log.Position{Sequence: t.at.Sequence, Hash: t.at.Hash}, nil
}

func (t *simTables) write(_ context.Context, from, to log.Position, events []corehour.Event, rows *rowChanges) error {
	if t.at.Sequence != from.Sequence {
		return errPositionMoved
	}
	t.at = to
	for i := range events {
		events[i].Producer, events[i].Sequence = corehour.ProducerExchange, int64(len(t.outbox)+1)
		t.outbox = append(t.outbox, events[i])
	}
	t.change(rows)
	return nil
}

func (t *simTables) last() int64 { return int64(len(t.outbox)) }

func (t *simTables) read(after int64, limit int) []corehour.Event {
	rest := t.outbox[after:]
	return rest[:min(limit, len(rest))]
}

// change is rowChanges.write for tables in memory.
func (t *simTables) change(r *rowChanges) {
	for _, id := range r.leaseOrder {
		if i, fresh := r.newOne[id]; fresh {
			r.leaseUpdates[id].into(r.leases[i][leaseStatus:])
		} else {
			r.leaseUpdates[id].into(t.leases[id][leaseStatus:])
		}
	}
	for _, table := range [...]struct {
		rows [][]any
		into map[uint64][]any
	}{{r.offers, t.offers}, {r.bids, t.bids}, {r.leases, t.leases}} {
		for _, row := range table.rows {
			id := uint64(row[0].(int64))
			if table.into[id] != nil {
				panic(&failure{badProjection, fmt.Sprintf("row %d is inserted twice", id)})
			}
			table.into[id] = slices.Clone(row)
		}
	}
	for _, id := range r.bidAmendOrder {
		copyColumns(bidColumns, bidRow(r.bidAmends[id]), t.bids[id], "units", "limit_price_nano", "earliest_start_minute",
			"latest_end_minute", "max_carbon_mg", "carbon_price_nano", "min_fill", "expires_at")
	}
	for _, id := range r.offerAmendOrder {
		copyColumns(offerColumns, offerRow(r.offerAmends[id]), t.offers[id], "units", "price_nano", "from_minute", "to_minute",
			"min_fill", "min_duration_minutes")
	}
	for _, id := range r.seekOrder {
		t.bids[id][bidOpen], t.bids[id][bidOpen+1] = int64(r.seeks[id].open), int64(r.seeks[id].left)
	}
	closeRows(t.bids, bidOpen+2, r.bidUpdates)
	closeRows(t.offers, offerClosed, r.offerUpdates)
}

func copyColumns(names []string, from, to []any, which ...string) {
	for _, name := range which {
		i := slices.Index(names, name)
		to[i] = from[i]
	}
}

func closeRows(rows map[uint64][]any, column int, updates []closing) {
	for _, u := range updates {
		rows[u.id][column], rows[u.id][column+1] = string(u.reason), int64(u.at)
	}
}

func (t *simTables) tables() (text []string) {
	for _, table := range [...]struct {
		name string
		rows map[uint64][]any
	}{{"exchange_offers", t.offers}, {"exchange_bids", t.bids}, {"exchange_leases", t.leases}} {
		for _, id := range sortedKeys(table.rows) {
			text = append(text, fmt.Sprintln(table.name, table.rows[id]))
		}
	}
	return text
}
