package billing

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/corehour/corehour"
)

// maxClosingHours bounds the lease-hours that are in memory at once when leases
// close. A single lease may have up to 8784.
const maxClosingHours = 50_000

// batch is the working set of one transaction of the consumer.
type batch struct {
	tx    *sql.Tx
	log   *slog.Logger
	queue int64 // the last place given out in the queues of the dispatcher

	leases  map[corehour.LeaseID]*lease
	touched []*lease // in the order of their first touch
	hours   map[hourKey]*hourRow

	charges  []ratedCharge
	posted   []*corehour.ChargePosted
	early    []usage
	accounts [][]any
	book     journal
}

type hourKey struct {
	lease  corehour.LeaseID
	begins corehour.Minute
}

// idSet keeps identifiers in the order of their arrival.
type idSet struct {
	ids []corehour.LeaseID
	in  map[corehour.LeaseID]bool
}

func (s *idSet) add(id corehour.LeaseID) {
	if s.in == nil {
		s.in = make(map[corehour.LeaseID]bool)
	}
	if !s.in[id] {
		s.in[id] = true
		s.ids = append(s.ids, id)
	}
}

func (s *idSet) remove(other idSet) {
	kept := s.ids[:0]
	for _, id := range s.ids {
		if other.in[id] {
			delete(s.in, id)
			continue
		}
		kept = append(kept, id)
	}
	s.ids = kept
}

// lease is a lease of the working set. The exchange's events about a lease come
// after its match in the same feed, so a missing one means a broken feed.
func (b *batch) lease(id corehour.LeaseID) (*lease, error) {
	if l := b.leases[id]; l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("%s is not known to billing", id)
}

func (b *batch) touch(l *lease) {
	if !l.dirty {
		l.dirty = true
		b.touched = append(b.touched, l)
	}
}

// finish closes the leases that are over, puts what is to be done into the
// dispatcher's queues and writes everything that changed.
func (b *batch) finish(ctx context.Context, queueBefore int64) error {
	hours := make([]*hourRow, 0, len(b.hours))
	for _, h := range b.hours {
		hours = append(hours, h)
	}
	if err := b.saveHours(ctx, hours); err != nil {
		return err
	}
	if err := b.saveCharges(ctx); err != nil {
		return err
	}
	if err := b.closeLeases(ctx); err != nil {
		return err
	}
	for _, l := range b.touched {
		if l.disputed {
			l.settleID = 0
		} else if l.ready && !l.settled && l.settleID == 0 && l.posted >= l.charges {
			b.queue++
			l.settleID = b.queue
		}
	}
	for _, save := range []func(context.Context) error{
		b.savePosted, b.saveLeases, b.saveEarly, b.saveAccounts,
	} {
		if err := save(ctx); err != nil {
			return err
		}
	}
	if err := b.book.save(ctx, b.tx); err != nil {
		return err
	}
	if b.queue == queueBefore {
		return nil
	}
	return setQueue(ctx, b.tx, b.queue)
}

// closeLeases rates what becomes due when both the delivery and the usage of a
// lease are over. Only leases with take-or-pay, or with very many charges, have
// to be looked at hour by hour; those go in groups of bounded size.
func (b *batch) closeLeases(ctx context.Context) error {
	var group []*lease
	var size int64
	for _, l := range b.touched {
		if !l.over() {
			continue
		}
		n := l.closingHours()
		if n == 0 {
			l.ready = true
			continue
		}
		if size+n > maxClosingHours && len(group) > 0 {
			if err := b.closeGroup(ctx, group); err != nil {
				return err
			}
			group, size = nil, 0
		}
		group, size = append(group, l), size+n
	}
	return b.closeGroup(ctx, group)
}

func (b *batch) closeGroup(ctx context.Context, group []*lease) error {
	if len(group) == 0 {
		return nil
	}
	stored, err := b.allHours(ctx, group)
	if err != nil {
		return err
	}
	var changed []*hourRow
	for _, l := range group {
		charges, hours := l.rateClosing(stored[l.id])
		b.charges = append(b.charges, charges...)
		changed = append(changed, hours...)
	}
	if err := b.saveHours(ctx, changed); err != nil {
		return err
	}
	return b.saveCharges(ctx)
}
