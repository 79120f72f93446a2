package billing

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/corehour/corehour"
)

// take applies events of one producer in the bus's transaction. It reads what the
// events touch, computes in memory and writes what changed, each with a few
// statements, because a replay pushes thousands of events a second through it.
func (s *Service) take(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
	if len(events) == 0 {
		return nil
	}
	queue, err := lockQueue(ctx, tx)
	if err != nil {
		return err
	}
	b := &batch{
		tx: tx, log: s.log, queue: queue,
		leases: make(map[corehour.LeaseID]*lease), hours: make(map[hourKey]*hourRow),
	}
	switch producer := events[0].Producer; producer {
	case corehour.ProducerExchange:
		err = b.takeExchange(ctx, events)
	case corehour.ProducerMetering:
		err = b.takeMetering(ctx, events)
	default:
		err = fmt.Errorf("billing: events of %q, which it does not follow", producer)
	}
	if err != nil {
		return err
	}
	return b.finish(ctx, queue)
}

// fact is an event and its decoded data; data is nil where billing has no use
// for the event.
type fact struct {
	*corehour.Event
	data any
}

// decode reads the data of the events, none of which billing changes.
func decode(events []corehour.Event) ([]fact, error) {
	facts := make([]fact, len(events))
	for i := range events {
		data, err := events[i].Payload()
		if err != nil {
			return nil, fmt.Errorf("billing: %w", err)
		}
		facts[i] = fact{Event: &events[i], data: data}
	}
	return facts, nil
}

// takeExchange applies events of the exchange's feed.
func (b *batch) takeExchange(ctx context.Context, events []corehour.Event) error {
	facts, err := decode(events)
	if err != nil {
		return err
	}
	var known, matched idSet
	for _, f := range facts {
		switch d := f.data.(type) {
		case *corehour.LeaseMatched:
			matched.add(d.ID)
		case *corehour.LeaseEnded:
			known.add(d.Lease)
		case *corehour.LeaseDisputed:
			known.add(d.Lease)
		case *corehour.DisputeResolved:
			known.add(d.Lease)
		case *corehour.LeaseSettled:
			known.add(d.Lease)
		case *corehour.ChargePosted:
			known.add(d.Lease)
		}
	}
	known.remove(matched)
	if err := b.loadLeases(ctx, known.ids); err != nil {
		return err
	}
	early, err := b.loadEarly(ctx, matched.ids)
	if err != nil {
		return err
	}
	for _, f := range facts {
		if err := b.applyExchange(f); err != nil {
			return fmt.Errorf("billing: event %s %s: %w", f.ID(), f.Type, err)
		}
	}
	for _, u := range early {
		if err := b.applyUsage(u); err != nil {
			return fmt.Errorf("billing: event %s/%d: %w", corehour.ProducerMetering, u.sequence, err)
		}
	}
	return nil
}

func (b *batch) applyExchange(f fact) error {
	if postings := postingsOf(f); len(postings) > 0 {
		if err := b.book.add(f.Event, postings); err != nil {
			return err
		}
	}
	switch d := f.data.(type) {
	case *corehour.AccountOpened:
		b.accounts = append(b.accounts, []any{string(d.Account), string(d.Org), d.Name})
	case *corehour.LeaseMatched:
		b.leases[d.ID] = newLease(&d.Lease)
		b.touch(b.leases[d.ID])
	case *corehour.LeaseEnded:
		l, err := b.lease(d.Lease)
		if err != nil {
			return err
		}
		b.touch(l)
		return l.ended(d)
	case *corehour.ChargePosted:
		l, err := b.lease(d.Lease)
		if err != nil {
			return err
		}
		b.touch(l)
		l.posted++
		b.posted = append(b.posted, d)
	case *corehour.LeaseDisputed:
		return b.dispute(d.Lease, true)
	case *corehour.DisputeResolved:
		return b.dispute(d.Lease, false)
	case *corehour.LeaseSettled:
		l, err := b.lease(d.Lease)
		if err != nil {
			return err
		}
		b.touch(l)
		l.settled = true
		if l.posted != d.Charges {
			b.log.Error("billing: the exchange settled a lease with other charges than it posted",
				"lease", d.Lease.String(), "posted", l.posted, "settled", d.Charges)
		}
	}
	return nil
}

// dispute notes whether a lease is disputed.
func (b *batch) dispute(id corehour.LeaseID, disputed bool) error {
	l, err := b.lease(id)
	if err != nil {
		return err
	}
	b.touch(l)
	l.disputed = disputed
	return nil
}

func newLease(l *corehour.Lease) *lease {
	return &lease{
		id: l.ID, product: l.Product, region: l.Region,
		consumer: l.Consumer, consumerOrg: l.ConsumerOrg, provider: l.Provider, providerOrg: l.ProviderOrg,
		units: l.Units, start: l.Start, end: l.End, price: l.Price, carbon: l.Carbon,
		takeOrPay: l.TakeOrPay, feeBasisPoints: l.Fee, matchedAt: l.MatchedAt,
		status: corehour.StatusMatched, isNew: true,
	}
}

// usage is what billing takes from an event of metering: a record, or the word
// that no more will come.
type usage struct {
	sequence int64
	lease    corehour.LeaseID
	closed   bool
	hour     corehour.Minute
	used     corehour.CPUTime
}

// takeMetering applies events of metering's feed. What it says of a lease that
// billing does not know yet waits, in the order of the feed, for the lease.
func (b *batch) takeMetering(ctx context.Context, events []corehour.Event) error {
	facts, err := decode(events)
	if err != nil {
		return err
	}
	var reported []usage
	var ids idSet
	for _, f := range facts {
		switch d := f.data.(type) {
		case *corehour.UsageAccepted:
			reported = append(reported, usage{sequence: f.Sequence, lease: d.Lease, hour: d.Hour, used: d.Used})
			ids.add(d.Lease)
		case *corehour.UsageClosed:
			reported = append(reported, usage{sequence: f.Sequence, lease: d.Lease, closed: true})
			ids.add(d.Lease)
		}
	}
	if err := b.loadLeases(ctx, ids.ids); err != nil {
		return err
	}
	if err := b.loadHours(ctx, reported); err != nil {
		return err
	}
	for _, u := range reported {
		if b.leases[u.lease] == nil {
			b.early = append(b.early, u)
			continue
		}
		if err := b.applyUsage(u); err != nil {
			return fmt.Errorf("billing: event %s/%d: %w", corehour.ProducerMetering, u.sequence, err)
		}
	}
	return nil
}

// applyUsage rates one record of a known lease, whose hour is loaded or new.
func (b *batch) applyUsage(u usage) error {
	l, err := b.lease(u.lease)
	if err != nil {
		return err
	}
	b.touch(l)
	if u.closed {
		l.usageClosed = true
		return nil
	}
	if u.used < 0 {
		return fmt.Errorf("usage of %s is negative", u.lease)
	}
	key := hourKey{u.lease, u.hour}
	h := b.hours[key]
	if h == nil {
		h = &hourRow{lease: u.lease, begins: u.hour}
		b.hours[key] = h
	}
	if l.usageClosed {
		// Metering promises that this does not happen. The lease's last charge may
		// be in the log, so the use is kept for reconciliation and not charged.
		h.used += u.used
		l.used += u.used
		b.log.Error("billing: usage of a lease whose usage is closed is not charged",
			"lease", u.lease.String(), "hour", u.hour.String(), "cpu_us", int64(u.used))
		return nil
	}
	if c, due := l.use(h, u.used); due {
		b.charges = append(b.charges, c)
	}
	return nil
}
