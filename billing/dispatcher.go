package billing

import (
	"context"
	"errors"
	"time"

	"github.com/corehour/corehour"
)

// Limits of the dispatcher's patience, in intervals of Config.Interval. Counting
// intervals instead of reading a clock keeps it working when the service's clock
// is a replay's.
const (
	maxBackoffTicks = 128 // between two attempts for a refused lease
	maxPauseTicks   = 16  // between two attempts while the exchange is not available
	rescanTicks     = 60  // at most, until the queues are read again from their beginning
)

// dispatcher submits what is pending. The database is the queue; what it keeps in
// memory may be lost at any time, because the exchange takes everything twice
// with one effect.
type dispatcher struct {
	s *Service
	// The queues are read forward: what was submitted stays pending in the
	// database until the exchange's event comes back, and is not asked for again
	// meanwhile.
	chargesRead, settlementsRead int64
	// refused are the leases whose charge or settlement the exchange refused. One
	// is due again only from a tick on that also reads the queues from their start,
	// so its charges stay in order.
	refused map[corehour.LeaseID]*backoff
	pause   backoff
	tick    int64
	worked  bool // something was submitted since the last tick
}

type backoff struct {
	attempts int
	until    int64 // the tick from which on it may be tried again
}

func (b *backoff) failed(tick, most int64) {
	b.until = tick + min(int64(1)<<min(b.attempts, 30), most)
	b.attempts++
}

func newDispatcher(s *Service) *dispatcher {
	return &dispatcher{s: s, refused: make(map[corehour.LeaseID]*backoff)}
}

// Run submits pending charges and settlements to the exchange until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	d := newDispatcher(s)
	for {
		d.pass(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-s.woken:
		case <-ticker.C:
			d.nextTick()
		}
	}
}

// nextTick lets one interval pass. After a quiet one, and when a refused lease is
// due, the queues are read again from their start: nothing depends on what the
// dispatcher remembers.
func (d *dispatcher) nextTick() {
	d.tick++
	again := !d.worked || d.tick%rescanTicks == 0
	for _, b := range d.refused {
		again = again || b.until <= d.tick
	}
	if again {
		d.chargesRead, d.settlementsRead = 0, 0
	}
	d.worked = false
}

// errPaused ends a pass because the exchange cannot be reached at the moment.
var errPaused = errors.New("billing: the exchange is not available")

// pass submits everything that is in the queues now.
func (d *dispatcher) pass(ctx context.Context) {
	if d.pause.until > d.tick || ctx.Err() != nil {
		return
	}
	err := drain(ctx, d, &d.chargesRead, d.s.pendingCharges, d.s.exchange.PostCharges)
	if err == nil {
		err = drain(ctx, d, &d.settlementsRead, d.s.pendingSettlements, d.s.exchange.SettleLeases)
	}
	switch {
	case err == nil:
		d.pause = backoff{}
		d.forgetResolved()
	case ctx.Err() != nil:
		// The service is stopping; what was not submitted stays pending.
	default:
		d.pause.failed(d.tick, maxPauseTicks)
		d.s.log.Warn("billing: dispatch waits", "error", err, "intervals", d.pause.until-d.tick)
	}
}

// forgetResolved drops refused leases that were due and did not turn up in the
// queues any more, because another node has settled the matter.
func (d *dispatcher) forgetResolved() {
	for id, b := range d.refused {
		if b.until <= d.tick {
			delete(d.refused, id)
		}
	}
}

// queued is an entry of a queue.
type queued[T any] struct {
	id    int64
	lease corehour.LeaseID
	item  T
}

// drain reads a queue to its end and submits it page by page.
func drain[T any](ctx context.Context, d *dispatcher, last *int64,
	read func(ctx context.Context, after int64) ([]queued[T], error),
	submit func(ctx context.Context, items []T) error,
) error {
	for {
		page, err := read(ctx, *last)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		var due []queued[T]
		for _, q := range page {
			if b := d.refused[q.lease]; b == nil || b.until <= d.tick {
				due = append(due, q)
			}
		}
		if err := submitPage(ctx, d, due, submit); err != nil {
			return err
		}
		*last = page[len(page)-1].id
	}
}

// submitPage submits a page at once. If that is refused, it goes lease by lease,
// so that one bad charge stops only its own lease.
func submitPage[T any](ctx context.Context, d *dispatcher, page []queued[T], submit func(context.Context, []T) error) error {
	if len(page) == 0 {
		return nil
	}
	d.worked = true
	err := submit(ctx, itemsOf(page))
	if err == nil {
		for _, q := range page {
			d.accepted(q.lease)
		}
		return nil
	}
	if passing(ctx, err) {
		return errors.Join(errPaused, err)
	}
	for _, group := range byLease(page) {
		id := group[0].lease
		err := submit(ctx, itemsOf(group))
		switch {
		case err == nil:
			d.accepted(id)
		case passing(ctx, err):
			return errors.Join(errPaused, err)
		default:
			d.refuse(id, err)
		}
	}
	return nil
}

// passing reports whether an error says nothing about what was submitted.
func passing(ctx context.Context, err error) bool {
	kind := corehour.KindOf(err)
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) ||
		kind == corehour.KindUnavailable || kind == corehour.KindLimited
}

func (d *dispatcher) accepted(id corehour.LeaseID) { delete(d.refused, id) }

// refuse puts a lease aside for a while. A refusal is never business as usual: it
// means a bug or a changed database, and the lease's money stays held.
func (d *dispatcher) refuse(id corehour.LeaseID, err error) {
	b := d.refused[id]
	if b == nil {
		b = new(backoff)
		d.refused[id] = b
	}
	b.failed(d.tick, maxBackoffTicks)
	d.s.log.Error("billing: THE EXCHANGE REFUSED A CHARGE OR SETTLEMENT; the lease stays unsettled until this is resolved",
		"lease", id.String(), "code", string(corehour.CodeOf(err)), "error", err, "attempts", b.attempts)
}

func itemsOf[T any](page []queued[T]) []T {
	items := make([]T, len(page))
	for i, q := range page {
		items[i] = q.item
	}
	return items
}

// byLease groups a page by lease; each group and the groups keep their order.
func byLease[T any](page []queued[T]) [][]queued[T] {
	var groups [][]queued[T]
	at := make(map[corehour.LeaseID]int)
	for _, q := range page {
		i, ok := at[q.lease]
		if !ok {
			i = len(groups)
			at[q.lease] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], q)
	}
	return groups
}

// pendingCharges reads a page of the queue of charges.
func (s *Service) pendingCharges(ctx context.Context, after int64) ([]queued[Charge], error) {
	rows, err := s.db.Reader().QueryContext(ctx,
		`SELECT queue_id, lease_id, number, kind, hour, amount FROM billing_charges
		 WHERE state = 'pending' AND queue_id > $1 ORDER BY queue_id LIMIT $2`, after, MaxDispatch)
	if err != nil {
		return nil, wrap("read pending charges", err)
	}
	defer rows.Close()
	var page []queued[Charge]
	for rows.Next() {
		var q queued[Charge]
		if err := rows.Scan(&q.id, &q.lease, &q.item.Number, &q.item.Kind, &q.item.Hour, &q.item.Amount); err != nil {
			return nil, wrap("read pending charges", err)
		}
		q.item.Lease = q.lease
		page = append(page, q)
	}
	return page, wrap("read pending charges", rows.Err())
}

// pendingSettlements reads a page of the queue of settlements. A lease enters it
// when all its charges have come back as posted, so a settlement is always
// behind its charges in the log.
func (s *Service) pendingSettlements(ctx context.Context, after int64) ([]queued[Settlement], error) {
	rows, err := s.db.Reader().QueryContext(ctx,
		`SELECT settle_id, lease_id, charges FROM billing_progress
		 WHERE settle_id > 0 AND settled = 0 AND settle_id > $1 ORDER BY settle_id LIMIT $2`, after, MaxDispatch)
	if err != nil {
		return nil, wrap("read pending settlements", err)
	}
	defer rows.Close()
	var page []queued[Settlement]
	for rows.Next() {
		var q queued[Settlement]
		if err := rows.Scan(&q.id, &q.lease, &q.item.Charges); err != nil {
			return nil, wrap("read pending settlements", err)
		}
		q.item.Lease = q.lease
		page = append(page, q)
	}
	return page, wrap("read pending settlements", rows.Err())
}

// Backlog is what billing still has to do, or waits for.
type Backlog struct {
	// PendingCharges are rated and not yet posted.
	PendingCharges int64 `json:"pending_charges"`
	// UnsettledLeases have ended and are not yet settled. Of these, AwaitingUsage
	// wait for metering to close their usage.
	UnsettledLeases int64 `json:"unsettled_leases"`
	AwaitingUsage   int64 `json:"awaiting_usage"`
}

// Backlog counts what billing still has to do, or waits for.
func (s *Service) Backlog(ctx context.Context) (Backlog, error) {
	var b Backlog
	err := s.snapshot(ctx, func(ctx context.Context, q querier) error {
		err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM billing_charges WHERE state = 'pending'`).Scan(&b.PendingCharges)
		if err != nil {
			return err
		}
		return q.QueryRowContext(ctx,
			`SELECT COUNT(*), CAST(COALESCE(SUM(1 - usage_closed), 0) AS BIGINT) FROM billing_progress
			 WHERE settled = 0 AND status <> 'matched'`).Scan(&b.UnsettledLeases, &b.AwaitingUsage)
	})
	if err != nil {
		return Backlog{}, corehour.Internal("billing.Backlog", err)
	}
	return b, nil
}

// Idle reports whether no charge is pending and every lease that has ended is
// settled, as far as billing has taken the feeds.
func (s *Service) Idle(ctx context.Context) (bool, error) {
	b, err := s.Backlog(ctx)
	return err == nil && b == Backlog{}, err
}
