package exchange

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/corehour/corehour"
)

// leaseUpdate holds the changed columns of a lease. The times and amounts are to
// be added to what is there, so that zero changes nothing.
type leaseUpdate struct {
	status                                    corehour.LeaseStatus // empty where it stays
	cause                                     corehour.EndCause    // likewise
	acceptedAt, startedAt, endedAt, settledAt corehour.Instant
	charged, feePaid                          corehour.Money
	suspectSince                              corehour.Instant
	interruptAt                               corehour.Minute
	credit                                    corehour.Money
}

// added are the columns after status and cause, in their order.
func (u *leaseUpdate) added() [9]int64 {
	return [...]int64{int64(u.acceptedAt), int64(u.startedAt), int64(u.endedAt), int64(u.settledAt), int64(u.charged),
		int64(u.feePaid), int64(u.suspectSince), int64(u.interruptAt), int64(u.credit)}
}

func (r *rowChanges) noteMatch(d *corehour.LeaseMatched) {
	r.newOne[uint64(d.ID)] = len(r.leases)
	r.leases = append(r.leases, []any{int64(d.ID), string(d.Product), int64(d.Bid), int64(d.Offer), string(d.Consumer),
		string(d.ConsumerOrg), string(d.Provider), string(d.ProviderOrg), string(d.Region), int64(d.Units), int64(d.Start),
		int64(d.End), int64(d.Price), int64(d.Carbon), int64(d.SLA), asInt(d.Interruptible), int64(d.TakeOrPay),
		int64(d.Fee), int64(d.Hold), int64(d.MatchedAt), int64(d.AcceptBy), int64(d.StartBy), int64(d.Lease.CoverOf),
		string(d.Payer), int64(d.FromBond), string(corehour.StatusMatched), "",
		int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(0)})
	r.seek(d.Bid, sought{d.BidOpen, d.BidLeft})
}

// noteLease takes in an event about a lease; others are not for the tables.
func (r *rowChanges) noteLease(e pendingEvent) {
	switch d := e.data.(type) {
	case corehour.LeaseChanged:
		u := r.lease(d.Lease)
		if e.typ == corehour.EventLeaseAccepted {
			u.status, u.acceptedAt = corehour.StatusProvisioning, e.at
		} else {
			u.status, u.startedAt = corehour.StatusActive, e.at
		}
	case corehour.LeaseEnded:
		u := r.lease(d.Lease)
		u.status, u.cause, u.endedAt = d.Status, d.Cause, d.EndedAt
	case corehour.ChargePosted:
		u := r.lease(d.Lease)
		u.charged += d.Amount
		u.feePaid += d.Fee
	case corehour.LeaseSettled:
		u := r.lease(d.Lease)
		u.status, u.settledAt = corehour.StatusSettled, e.at
	case corehour.LeaseSuspected:
		r.lease(d.Lease).suspectSince += e.at
	case corehour.LeaseRecovered:
		r.lease(d.Lease).suspectSince -= d.SuspectSince
	case corehour.InterruptionAnnounced:
		r.lease(d.Lease).interruptAt = d.At
	case corehour.LeaseDisputed:
		r.lease(d.Lease).status = corehour.StatusDisputed
	case corehour.DisputeResolved:
		u := r.lease(d.Lease)
		u.status = d.Status
		u.credit += d.Credit
	case corehour.SLACredited:
		r.lease(d.Lease).credit += d.Amount
	}
}

func (r *rowChanges) lease(id corehour.LeaseID) *leaseUpdate {
	u, ok := r.leaseUpdates[uint64(id)]
	if !ok {
		u = &leaseUpdate{}
		r.leaseUpdates[uint64(id)] = u
		r.leaseOrder = append(r.leaseOrder, uint64(id))
	}
	return u
}

// updateLeases changes the rows of older leases, and those of new ones before
// they are inserted.
func (r *rowChanges) updateLeases(ctx context.Context, tx *sql.Tx) error {
	var update *sql.Stmt
	for _, id := range r.leaseOrder {
		u := r.leaseUpdates[id]
		if i, ok := r.newOne[id]; ok {
			u.into(r.leases[i][leaseStatus:])
			continue
		}
		if update == nil {
			var err error
			update, err = tx.PrepareContext(ctx, `UPDATE exchange_leases SET
				status = CASE WHEN $1 = '' THEN status ELSE $2 END, cause = CASE WHEN $3 = '' THEN cause ELSE $4 END,
				accepted_at = accepted_at + $5, started_at = started_at + $6, ended_at = ended_at + $7,
				settled_at = settled_at + $8, charged_nano = charged_nano + $9, fee_paid_nano = fee_paid_nano + $10,
				suspect_since = suspect_since + $11, interrupt_minute = interrupt_minute + $12,
				credit_nano = credit_nano + $13 WHERE id = $14`)
			if err != nil {
				return fmt.Errorf("exchange: leases: %w", err)
			}
			defer func() { _ = update.Close() }() // ends with the transaction at the latest
		}
		args := []any{string(u.status), string(u.status), string(u.cause), string(u.cause)}
		for _, add := range u.added() {
			args = append(args, add)
		}
		if _, err := update.ExecContext(ctx, append(args, int64(id))...); err != nil {
			return fmt.Errorf("exchange: leases: %w", err)
		}
	}
	return nil
}

// into changes the mutable columns of a row that is not written yet.
func (u *leaseUpdate) into(columns []any) {
	if u.status != "" {
		columns[0] = string(u.status)
	}
	if u.cause != "" {
		columns[1] = string(u.cause)
	}
	for i, add := range u.added() {
		columns[i+2] = columns[i+2].(int64) + add
	}
}
