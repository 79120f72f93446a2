package metering

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/bus"
)

// graceFrom is what the usage grace of an ended lease counts from. What was
// never delivered, or has been settled already, waits for nothing.
func (l *lease) graceFrom() corehour.Instant {
	if l.status != corehour.StatusSettled && l.delivered() {
		return l.until()
	}
	return 0
}

// Close is the provider's word that its usage of these ended leases is complete.
// It answers each lease in the order given: accepted where this closed it,
// repeated where it was closed before, or rejected as unknown_lease or
// lease_not_ended. Its errors are those of Report, about the field leases.
func (s *Service) Close(ctx context.Context, provider corehour.AccountID, leases []corehour.LeaseID) ([]Result, error) {
	if err := checkBatch(provider, "leases", len(leases)); err != nil {
		return nil, err
	}
	now := s.now()
	var results []Result
	var closed int
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		known := map[corehour.LeaseID]*lease{}
		found, err := lockProvider(ctx, tx, provider)
		if err == nil && found {
			known, err = loadLeases(ctx, tx, leases)
		}
		if err != nil {
			return err
		}
		results = make([]Result, len(leases))
		var closing []*lease
		for i, id := range leases {
			results[i] = Result{Lease: id}
			l := known[id]
			no := checkClose(l, provider)
			switch {
			case no != nil:
				results[i].Status = StatusRejected
				results[i].Code, results[i].Field, results[i].Message = no.code, no.field, no.message
			case l.closed:
				results[i].Status = StatusRepeated
			default:
				results[i].Status = StatusAccepted
				l.closed = true
				closing = append(closing, l)
			}
		}
		closed = len(closing)
		return closeLeases(ctx, tx, closing, now)
	})
	if err != nil {
		return nil, internal("Close", err)
	}
	if closed > 0 {
		s.committed()
	}
	return results, nil
}

// checkClose decides whether the usage of a lease, nil where it is not known,
// may be closed by a provider.
func checkClose(l *lease, provider corehour.AccountID) *refusal {
	if l == nil || l.provider != provider {
		return unknownLease()
	}
	if !l.ended() {
		return refuse(CodeLeaseNotEnded, fieldLease, "this lease has not ended")
	}
	return nil
}

// closeLeases marks leases whose provider is locked, and appends their last events.
func closeLeases(ctx context.Context, tx *sql.Tx, leases []*lease, now corehour.Instant) error {
	if len(leases) == 0 {
		return nil
	}
	ids := make([]corehour.LeaseID, len(leases))
	for i, l := range leases {
		ids[i] = l.id
	}
	totals, err := loadTotals(ctx, tx, ids)
	if err != nil {
		return err
	}
	events := make([]corehour.Event, len(ids))
	for i, id := range ids {
		events[i], err = corehour.NewEvent(corehour.EventUsageClosed, now, id.String(), corehour.UsageClosed{
			Lease: id, Records: totals[id].records, Used: totals[id].used,
		})
		if err != nil {
			return fmt.Errorf("closing event: %w", err)
		}
	}
	if err := bus.Append(ctx, tx, corehour.ProducerMetering, events); err != nil {
		return err
	}
	return inChunks(ids, func(part []corehour.LeaseID) error {
		list, args := leaseList([]any{int64(now)}, part)
		_, err := tx.ExecContext(ctx, `UPDATE metering_leases SET closed = 1, closed_at = $1 WHERE id IN (`+
			list+`)`, args...)
		if err != nil {
			return fmt.Errorf("mark closed: %w", err)
		}
		return nil
	})
}

// CloseDue closes the usage of up to limit (at most MaxBatch) ended leases whose
// grace has passed, the longest due first, and says how many it closed. Fewer
// than limit means that no more were due.
func (s *Service) CloseDue(ctx context.Context, limit int) (int, error) {
	if limit < 1 || limit > MaxBatch {
		return 0, corehour.Invalid("limit", "it is between 1 and %d", MaxBatch)
	}
	now := s.now()
	before := now - corehour.Instant(s.grace.Microseconds())
	// Nearly always nothing is due, and then nobody needs to be locked out.
	if due, err := loadDue(ctx, s.db.Reader(), before, 1); err != nil || len(due) == 0 {
		return 0, internal("CloseDue", err)
	}
	var closed int
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		due, err := loadDue(ctx, tx, before, limit)
		if err != nil {
			return err
		}
		if err := lockProviders(ctx, tx, due); err != nil {
			return err
		}
		ids := make([]corehour.LeaseID, len(due))
		for i := range due {
			ids[i] = due[i].lease
		}
		// Somebody may have closed some of them before the locks were ours.
		leases, err := loadLeases(ctx, tx, ids)
		if err != nil {
			return err
		}
		var closing []*lease
		for _, id := range ids {
			if l := leases[id]; !l.closed {
				closing = append(closing, l)
			}
		}
		closed = len(closing)
		return closeLeases(ctx, tx, closing, now)
	})
	if err != nil {
		return 0, internal("CloseDue", err)
	}
	if closed > 0 {
		s.committed()
	}
	return closed, nil
}

type dueLease struct {
	lease    corehour.LeaseID
	provider corehour.AccountID
}

// loadDue lists leases to be closed whose grace counts from before a time. Zero
// is the grace of a lease that waits for nothing, whatever the clock says.
func loadDue(ctx context.Context, q querier, before corehour.Instant, limit int) ([]dueLease, error) {
	var due []dueLease
	err := query(ctx, q, `SELECT id, provider FROM metering_leases
		WHERE closed = 0 AND grace_from IS NOT NULL AND grace_from <= $1
		ORDER BY grace_from, id LIMIT $2`,
		[]any{max(int64(before), 0), limit}, func(rows *sql.Rows) error {
			var id int64
			var d dueLease
			err := rows.Scan(&id, &d.provider)
			d.lease = corehour.LeaseID(id)
			due = append(due, d)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("load due leases: %w", err)
	}
	return due, nil
}

// lockProviders locks the providers of leases, in the order of their names, so
// that two who lock several never wait for one another in a circle.
func lockProviders(ctx context.Context, tx *sql.Tx, due []dueLease) error {
	providers := make([]corehour.AccountID, len(due))
	for i := range due {
		providers[i] = due[i].provider
	}
	slices.Sort(providers)
	for _, p := range slices.Compact(providers) {
		if _, err := lockProvider(ctx, tx, p); err != nil {
			return err
		}
	}
	return nil
}

// Run closes due leases until the context ends: at an interval, and after the
// consumer took leases that ended. A failure is logged and tried again at the
// next occasion.
func (s *Service) Run(ctx context.Context) error {
	ticker := time.NewTicker(s.closeEvery)
	defer ticker.Stop()
	for {
		if err := s.closeAllDue(ctx); err != nil && ctx.Err() == nil {
			s.logger.LogAttrs(ctx, slog.LevelError, "closing of usage failed; it is tried again",
				slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-s.wake:
		}
	}
}

// closeAllDue closes in transactions of MaxBatch until nothing is due.
func (s *Service) closeAllDue(ctx context.Context) error {
	for {
		n, err := s.CloseDue(ctx, MaxBatch)
		if err != nil || n < MaxBatch {
			return err
		}
	}
}
