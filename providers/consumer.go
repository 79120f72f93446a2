package providers

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
	"github.com/corehour/corehour/internal/database"
)

// ConsumerName is this package's name on the bus. Its position is kept under it.
const ConsumerName = "providers"

// updateLeases bounds the leases of one UPDATE.
const updateLeases = 64

var deliveryColumns = []string{"lease", "provider", "sequence", "status", "data"}

// Consumer delivers leases as the exchange matches them. The bus hands each
// event over once.
func (s *Service) Consumer() bus.Consumer {
	return bus.Consumer{
		Name:      ConsumerName,
		Producers: []corehour.Producer{corehour.ProducerExchange},
		Take:      s.take,
		Committed: s.waiting.wake,
	}
}

// take writes the deliveries of a stretch of the feed, each with its last status
// in that stretch, and then the statuses of leases delivered before.
func (s *Service) take(ctx context.Context, tx *sql.Tx, events []corehour.Event) error {
	b := batch{delivered: make(map[corehour.LeaseID]int), changed: make(map[corehour.LeaseID]corehour.LeaseStatus)}
	for i := range events {
		if err := b.add(&events[i]); err != nil {
			return fmt.Errorf("providers: event %s: %w", events[i].ID(), err)
		}
	}
	if err := b.write(ctx, tx); err != nil {
		return fmt.Errorf("providers: %w", err)
	}
	// This is no effect yet: the providers are woken when it has committed, and
	// then look for themselves.
	s.waiting.remember(b.providers)
	return nil
}

// batch is what a stretch of the feed changes.
type batch struct {
	rows      []delivered
	delivered map[corehour.LeaseID]int // index of rows
	providers []corehour.AccountID
	changed   map[corehour.LeaseID]corehour.LeaseStatus // of leases that are not in rows
	order     []corehour.LeaseID                        // of changed
}

type delivered struct {
	lease    corehour.LeaseID
	provider corehour.AccountID
	sequence int64
	status   corehour.LeaseStatus
	data     string
}

func (b *batch) add(e *corehour.Event) error {
	payload, err := e.Payload()
	if err != nil {
		return err
	}
	switch data := payload.(type) {
	case *corehour.LeaseMatched:
		return b.deliver(e, data)
	case *corehour.LeaseChanged:
		status := corehour.StatusProvisioning
		if e.Type == corehour.EventLeaseStarted {
			status = corehour.StatusActive
		}
		b.change(data.Lease, status)
	case *corehour.LeaseEnded:
		if !data.Status.EndsDelivery() {
			return fmt.Errorf("%s ended as %q", data.Lease, data.Status)
		}
		b.change(data.Lease, data.Status)
	case *corehour.LeaseDisputed:
		b.change(data.Lease, corehour.StatusDisputed)
	case *corehour.DisputeResolved:
		b.change(data.Lease, data.Status)
	case *corehour.LeaseSettled:
		b.change(data.Lease, corehour.StatusSettled)
	}
	return nil
}

func (b *batch) deliver(e *corehour.Event, lease *corehour.LeaseMatched) error {
	if lease.ID == 0 || lease.Provider == "" {
		return fmt.Errorf("a match without a lease or a provider")
	}
	b.delivered[lease.ID] = len(b.rows)
	b.providers = append(b.providers, lease.Provider)
	b.rows = append(b.rows, delivered{
		lease: lease.ID, provider: lease.Provider, sequence: e.Sequence,
		status: corehour.StatusMatched, data: string(e.Data),
	})
	return nil
}

// change notes a lease's new status.
func (b *batch) change(lease corehour.LeaseID, status corehour.LeaseStatus) {
	if i, ok := b.delivered[lease]; ok {
		b.rows[i].status = status
		return
	}
	if _, ok := b.changed[lease]; !ok {
		b.order = append(b.order, lease)
	}
	b.changed[lease] = status
}

func (b *batch) write(ctx context.Context, tx *sql.Tx) error {
	rows := make([][]any, len(b.rows))
	for i, r := range b.rows {
		rows[i] = []any{int64(r.lease), string(r.provider), r.sequence, string(r.status), r.data}
	}
	if err := database.Insert(ctx, tx, "providers_deliveries", deliveryColumns, rows, ""); err != nil {
		return err
	}
	byStatus := make(map[corehour.LeaseStatus][]corehour.LeaseID)
	for _, lease := range b.order {
		byStatus[b.changed[lease]] = append(byStatus[b.changed[lease]], lease)
	}
	for status, leases := range byStatus {
		for len(leases) > 0 {
			n := min(updateLeases, len(leases))
			if err := update(ctx, tx, status, leases[:n]); err != nil {
				return err
			}
			leases = leases[n:]
		}
	}
	return nil
}

// update sets the status of leases that were delivered before. One that was not
// means that the feed is broken; going on would leave its provider in the dark.
func update(ctx context.Context, tx *sql.Tx, status corehour.LeaseStatus, leases []corehour.LeaseID) error {
	list, args := database.InList([]any{string(status)}, leases, func(id corehour.LeaseID) any { return int64(id) })
	result, err := tx.ExecContext(ctx, `UPDATE providers_deliveries SET status = $1 WHERE lease IN (`+list+`)`, args...)
	if err != nil {
		return fmt.Errorf("statuses: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("statuses: %w", err)
	}
	if n != int64(len(leases)) {
		return fmt.Errorf("of %d leases that became %s, such as %s, only %d were ever matched", len(leases), status, leases[0], n)
	}
	return nil
}
