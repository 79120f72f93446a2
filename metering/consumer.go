package metering

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
)

// ConsumerName is metering's name on the bus. Its position is kept under it.
const ConsumerName = "metering"

// Consumer takes from the exchange what metering needs to know of leases. The
// bus hands each event over once; taking one again would change nothing.
func (s *Service) Consumer() bus.Consumer {
	return bus.Consumer{
		Name:      ConsumerName,
		Producers: []corehour.Producer{corehour.ProducerExchange},
		Take:      take,
		Committed: s.leasesTaken,
	}
}

// leasesTaken wakes Run, because a lease may have ended that is due at once. A
// signal that is already waiting will do for both.
func (s *Service) leasesTaken() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// leaseFact is one event about a lease, with its payload by type.
type leaseFact struct {
	event   *corehour.Event
	lease   corehour.LeaseID
	matched *corehour.LeaseMatched
	ended   *corehour.LeaseEnded
}

// take reads the leases that a stretch of the feed is about, lets the events
// act on them in memory and writes the changed ones back.
func take(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
	var facts []leaseFact
	var ids []corehour.LeaseID
	for i := range events {
		fact, ok, err := readFact(&events[i])
		if err != nil {
			return fmt.Errorf("metering: event %s: %w", events[i].ID(), err)
		}
		if ok {
			facts = append(facts, fact)
			ids = append(ids, fact.lease)
		}
	}
	leases, err := loadLeases(ctx, tx, ids)
	if err != nil {
		return fmt.Errorf("metering: %w", err)
	}
	changed := make(map[corehour.LeaseID]bool)
	var save []*lease
	var providers []corehour.AccountID
	for i := range facts {
		l, effect, err := facts[i].apply(leases[facts[i].lease])
		if err != nil {
			return fmt.Errorf("metering: event %s: %w", facts[i].event.ID(), err)
		}
		if leases[l.id] == nil {
			leases[l.id] = l
			providers = append(providers, l.provider)
		}
		if effect && !changed[l.id] {
			changed[l.id] = true
			save = append(save, l)
		}
	}
	if err := saveProviders(ctx, tx, providers); err != nil {
		return fmt.Errorf("metering: %w", err)
	}
	if err := saveLeases(ctx, tx, save); err != nil {
		return fmt.Errorf("metering: %w", err)
	}
	return nil
}

// readFact decodes an event; false says that metering does not care for its type.
func readFact(e *corehour.Event) (leaseFact, bool, error) {
	fact := leaseFact{event: e}
	payload, err := e.Payload()
	switch data := payload.(type) {
	case *corehour.LeaseMatched:
		fact.matched, fact.lease = data, data.ID
	case *corehour.LeaseEnded:
		fact.ended, fact.lease = data, data.Lease
	case *corehour.LeaseSettled:
		fact.lease = data.Lease
	case *corehour.LeaseChanged:
		if e.Type != corehour.EventLeaseStarted {
			return fact, false, nil
		}
		fact.lease = data.Lease
	default:
		return fact, false, err
	}
	return fact, true, nil
}

// apply lets a fact act on what is known of its lease, nil where nothing is. A
// lease's status only ever moves forward, so an event that comes again has no
// effect. Without the lease's match the feed is broken: going on would reject
// the lease's usage forever, so that is an error.
func (f *leaseFact) apply(l *lease) (after *lease, effect bool, err error) {
	if f.event.Type == corehour.EventLeaseMatched {
		if l != nil {
			return l, false, nil
		}
		m := f.matched
		return &lease{
			id: m.ID, provider: m.Provider, providerOrg: m.ProviderOrg, consumer: m.Consumer, consumerOrg: m.ConsumerOrg,
			units: m.Units, start: m.Start, end: m.End, status: corehour.StatusMatched,
		}, true, nil
	}
	if l == nil {
		return nil, false, fmt.Errorf("%s was never matched", f.lease)
	}
	switch f.event.Type {
	case corehour.EventLeaseStarted:
		if l.status == corehour.StatusMatched {
			l.status, l.started = corehour.StatusActive, true
			return l, true, nil
		}
	case corehour.EventLeaseEnded:
		if status := f.ended.Status; !status.EndsDelivery() {
			return nil, false, fmt.Errorf("%s ended as %q", f.lease, status)
		}
		if !l.ended() {
			l.started = l.delivered()
			l.status = f.ended.Status
			l.endedAt = &f.ended.EndedAt
			return l, true, nil
		}
	case corehour.EventLeaseSettled:
		if l.status != corehour.StatusSettled {
			l.status = corehour.StatusSettled
			return l, true, nil
		}
	}
	return l, false, nil
}
