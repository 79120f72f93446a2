package billing

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// queueSeries is the row of billing_series that numbers the dispatcher's queues.
const queueSeries = "queue"

// lockQueue takes the lock that orders the transactions which rate, post and
// issue, and returns the last number given out in the queues. On PostgreSQL the
// row stays locked until the transaction ends; SQLite has one writer anyway.
// Because numbers are given out under it, they become visible in their order.
func lockQueue(ctx context.Context, tx *sql.Tx) (int64, error) {
	var last int64
	err := tx.QueryRowContext(ctx,
		`INSERT INTO billing_series (name, last) VALUES ($1, 0)
		 ON CONFLICT (name) DO UPDATE SET last = billing_series.last RETURNING last`, queueSeries).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("billing: lock the queue: %w", err)
	}
	return last, nil
}

func setQueue(ctx context.Context, tx *sql.Tx, last int64) error {
	if _, err := tx.ExecContext(ctx, `UPDATE billing_series SET last = $1 WHERE name = $2`, last, queueSeries); err != nil {
		return fmt.Errorf("billing: advance the queue: %w", err)
	}
	return nil
}

// inList makes the placeholders and arguments of an IN list of leases.
func inList(ids []corehour.LeaseID) (string, []any) {
	return database.InList(nil, ids, func(id corehour.LeaseID) any { return int64(id) })
}

var leaseColumns = []string{
	"lease_id", "product", "region", "consumer", "consumer_org", "provider", "provider_org", "units",
	"start_minute", "end_minute", "price", "carbon", "take_or_pay_bps", "fee_bps", "matched_at",
}

var progressColumns = []string{
	"lease_id", "status", "ended_at", "free_from", "used_us", "usage_closed",
	"charges", "posted", "ready", "settle_id", "settled", "disputed",
}

func (b *batch) loadLeases(ctx context.Context, ids []corehour.LeaseID) error {
	if len(ids) == 0 {
		return nil
	}
	list, args := inList(ids)
	rows, err := b.tx.QueryContext(ctx,
		`SELECT l.lease_id, l.product, l.region, l.consumer, l.consumer_org, l.provider, l.provider_org, l.units,
		 l.start_minute, l.end_minute, l.price, l.carbon, l.take_or_pay_bps, l.fee_bps, l.matched_at,
		 p.status, p.ended_at, p.free_from, p.used_us, p.usage_closed, p.charges, p.posted, p.ready, p.settle_id, p.settled, p.disputed
		 FROM billing_leases l JOIN billing_progress p ON p.lease_id = l.lease_id WHERE l.lease_id IN (`+list+`)`, args...)
	if err != nil {
		return fmt.Errorf("billing: read leases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		l := new(lease)
		var closed, ready, settled, disputed int64
		if err := rows.Scan(&l.id, &l.product, &l.region, &l.consumer, &l.consumerOrg, &l.provider, &l.providerOrg, &l.units,
			&l.start, &l.end, &l.price, &l.carbon, &l.takeOrPay, &l.feeBasisPoints, &l.matchedAt,
			&l.status, &l.endedAt, &l.freeFrom, &l.used, &closed, &l.charges, &l.posted, &ready, &l.settleID, &settled, &disputed,
		); err != nil {
			return fmt.Errorf("billing: read leases: %w", err)
		}
		l.usageClosed, l.ready, l.settled, l.disputed = closed == 1, ready == 1, settled == 1, disputed == 1
		b.leases[l.id] = l
	}
	return wrap("read leases", rows.Err())
}

// saveLeases writes the terms of new leases and the progress of all that were touched.
func (b *batch) saveLeases(ctx context.Context) error {
	var terms [][]any
	progress := make([][]any, len(b.touched))
	for i, l := range b.touched {
		if l.isNew {
			terms = append(terms, []any{
				int64(l.id), string(l.product), string(l.region), string(l.consumer), string(l.consumerOrg),
				string(l.provider), string(l.providerOrg), int64(l.units), int64(l.start), int64(l.end),
				int64(l.price), int64(l.carbon), int64(l.takeOrPay), int64(l.feeBasisPoints), int64(l.matchedAt),
			})
		}
		progress[i] = []any{
			int64(l.id), string(l.status), int64(l.endedAt), int64(l.freeFrom), int64(l.used), bit(l.usageClosed),
			l.charges, l.posted, bit(l.ready), l.settleID, bit(l.settled), bit(l.disputed),
		}
	}
	if err := database.Insert(ctx, b.tx, "billing_leases", leaseColumns, terms, ""); err != nil {
		return wrap("write leases", err)
	}
	err := database.Insert(ctx, b.tx, "billing_progress", progressColumns, progress,
		`ON CONFLICT (lease_id) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at,
		 free_from = excluded.free_from, used_us = excluded.used_us, usage_closed = excluded.usage_closed,
		 charges = excluded.charges, posted = excluded.posted, ready = excluded.ready,
		 settle_id = excluded.settle_id, settled = excluded.settled, disputed = excluded.disputed`)
	return wrap("write leases", err)
}

var hourColumns = []string{"lease_id", "hour", "used_us", "billed_us", "billed"}

// loadHours reads the hours that the records of known leases fall in.
func (b *batch) loadHours(ctx context.Context, reported []usage) error {
	var keys []hourKey
	seen := make(map[hourKey]bool, len(reported))
	for _, u := range reported {
		key := hourKey{u.lease, u.hour}
		l := b.leases[u.lease]
		// A lease that has used nothing yet has no hours to read.
		if u.closed || l == nil || l.used == 0 || seen[key] {
			continue
		}
		seen[key] = true
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil
	}
	list, args := database.PairList(keys, func(k hourKey) (int64, int64) { return int64(k.lease), int64(k.begins) })
	return b.scanHours(ctx, func(h *hourRow) { b.hours[hourKey{h.lease, h.begins}] = h },
		`WHERE (lease_id, hour) IN (VALUES `+list+`)`, args)
}

// allHours reads every hour of some leases.
func (b *batch) allHours(ctx context.Context, group []*lease) (map[corehour.LeaseID]map[corehour.Minute]*hourRow, error) {
	ids := make([]corehour.LeaseID, len(group))
	for i, l := range group {
		ids[i] = l.id
	}
	hours := make(map[corehour.LeaseID]map[corehour.Minute]*hourRow, len(group))
	list, args := inList(ids)
	err := b.scanHours(ctx, func(h *hourRow) {
		if hours[h.lease] == nil {
			hours[h.lease] = make(map[corehour.Minute]*hourRow)
		}
		hours[h.lease][h.begins] = h
	}, `WHERE lease_id IN (`+list+`)`, args)
	return hours, err
}

func (b *batch) scanHours(ctx context.Context, each func(*hourRow), where string, args []any) error {
	rows, err := b.tx.QueryContext(ctx, `SELECT lease_id, hour, used_us, billed_us, billed FROM billing_hours `+where, args...)
	if err != nil {
		return fmt.Errorf("billing: read hours: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		h := new(hourRow)
		if err := rows.Scan(&h.lease, &h.begins, &h.used, &h.billedCPU, &h.billed); err != nil {
			return fmt.Errorf("billing: read hours: %w", err)
		}
		each(h)
	}
	return wrap("read hours", rows.Err())
}

func (b *batch) saveHours(ctx context.Context, hours []*hourRow) error {
	// In the order of the key: neighbours are written to neighbouring pages.
	slices.SortFunc(hours, func(x, y *hourRow) int {
		return cmp.Or(cmp.Compare(x.lease, y.lease), cmp.Compare(x.begins, y.begins))
	})
	rows := make([][]any, len(hours))
	for i, h := range hours {
		rows[i] = []any{int64(h.lease), int64(h.begins), int64(h.used), int64(h.billedCPU), int64(h.billed)}
	}
	err := database.Insert(ctx, b.tx, "billing_hours", hourColumns, rows,
		`ON CONFLICT (lease_id, hour) DO UPDATE SET
		 used_us = excluded.used_us, billed_us = excluded.billed_us, billed = excluded.billed`)
	return wrap("write hours", err)
}

const (
	statePending = "pending"
	statePosted  = "posted"
)

var chargeColumns = []string{
	"lease_id", "number", "queue_id", "kind", "hour", "month", "consumer", "provider",
	"cpu_us", "amount", "fee", "state", "invoice", "statement",
}

// saveCharges writes new charges and forgets them. A charge that is there
// already was posted before billing had rated it, which happens when billing's
// tables are built again from old feeds: only its CPU time was not known yet.
func (b *batch) saveCharges(ctx context.Context) error {
	rows := make([][]any, len(b.charges))
	for i, c := range b.charges {
		b.queue++
		rows[i] = []any{
			int64(c.Lease), c.Number, b.queue, string(c.Kind), int64(c.Hour), PeriodOf(c.Hour).String(),
			string(c.lease.consumer), string(c.lease.provider), int64(c.cpu), int64(c.Amount), nil, statePending, "", "",
		}
	}
	b.charges = nil
	err := database.Insert(ctx, b.tx, "billing_charges", chargeColumns, rows,
		`ON CONFLICT (lease_id, number) DO UPDATE SET cpu_us = excluded.cpu_us`)
	return wrap("write charges", err)
}

// savePosted marks charges as posted. The amount is what the exchange moved; a
// charge of which that is nothing, because its lease had failed and held nothing
// any more, is one that nobody owes.
func (b *batch) savePosted(ctx context.Context) error {
	rows := make([][]any, 0, len(b.posted))
	for _, c := range b.posted {
		if c.Amount == 0 {
			_, err := b.tx.ExecContext(ctx, `DELETE FROM billing_charges WHERE lease_id = $1 AND number = $2`, int64(c.Lease), c.Number)
			if err != nil {
				return wrap("drop a charge", err)
			}
			continue
		}
		rows = append(rows, []any{
			int64(c.Lease), c.Number, int64(0), string(c.Kind), int64(c.Hour), PeriodOf(c.Hour).String(),
			string(c.Consumer), string(c.Provider), int64(0), int64(c.Amount), int64(c.Fee), statePosted, "", "",
		})
	}
	err := database.Insert(ctx, b.tx, "billing_charges", chargeColumns, rows,
		`ON CONFLICT (lease_id, number) DO UPDATE SET
		 amount = excluded.amount, fee = excluded.fee, state = excluded.state`)
	return wrap("post charges", err)
}

// loadEarly reads and removes what metering said of leases before they were
// known, in the order of its feed.
func (b *batch) loadEarly(ctx context.Context, ids []corehour.LeaseID) ([]usage, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, args := inList(ids)
	rows, err := b.tx.QueryContext(ctx,
		`DELETE FROM billing_early WHERE lease_id IN (`+list+`) RETURNING sequence, lease_id, kind, hour, used_us`, args...)
	if err != nil {
		return nil, fmt.Errorf("billing: take early usage: %w", err)
	}
	defer rows.Close()
	var early []usage
	for rows.Next() {
		var u usage
		var kind string
		if err := rows.Scan(&u.sequence, &u.lease, &kind, &u.hour, &u.used); err != nil {
			return nil, fmt.Errorf("billing: take early usage: %w", err)
		}
		u.closed = kind == earlyClosed
		early = append(early, u)
	}
	slices.SortFunc(early, func(x, y usage) int { return cmp.Compare(x.sequence, y.sequence) })
	return early, wrap("take early usage", rows.Err())
}

const (
	earlyUsage  = "usage"
	earlyClosed = "closed"
)

func (b *batch) saveEarly(ctx context.Context) error {
	rows := make([][]any, len(b.early))
	for i, u := range b.early {
		kind := earlyUsage
		if u.closed {
			kind = earlyClosed
		}
		rows[i] = []any{u.sequence, int64(u.lease), kind, int64(u.hour), int64(u.used)}
	}
	err := database.Insert(ctx, b.tx, "billing_early", []string{"sequence", "lease_id", "kind", "hour", "used_us"}, rows, "")
	return wrap("keep early usage", err)
}

func (b *batch) saveAccounts(ctx context.Context) error {
	err := database.Insert(ctx, b.tx, "billing_accounts", []string{"account", "org", "name"}, b.accounts,
		`ON CONFLICT (account) DO UPDATE SET org = excluded.org, name = excluded.name`)
	return wrap("write accounts", err)
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// wrap names the operation of an error, if there is one.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("billing: %s: %w", op, err)
}
