package exchange

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/internal/database"
)

// rowChanges gathers what the events of one transaction make of the tables, so
// that a row which changes several times is written once. What is new is
// inserted; what was there before is updated by its changed columns.
type rowChanges struct {
	offers, bids, leases     [][]any // new rows
	newOffer, newBid, newOne map[uint64]int
	offerUpdates, bidUpdates []closing
	openUnits                map[uint64]corehour.Units
	openOrder                []uint64
	leaseUpdates             map[uint64]*leaseUpdate
	leaseOrder               []uint64
}

type closing struct {
	id     uint64
	reason corehour.CloseReason
	at     corehour.Instant
}

// leaseUpdate holds the changed columns of a lease; zero is unchanged.
type leaseUpdate struct {
	status                                    corehour.LeaseStatus
	acceptedAt, startedAt, endedAt, settledAt corehour.Instant
	charged, feePaid                          corehour.Money // to be added
}

var (
	offerColumns = []string{"id", "product", "provider", "org", "region", "units", "from_minute", "to_minute", "price_nano",
		"carbon_mg", "sla", "interruptible", "min_fill", "min_duration_minutes", "take_or_pay_bps", "client_id", "placed_at",
		"closed", "closed_at"}
	bidColumns = []string{"id", "product", "consumer", "org", "units", "duration_minutes", "earliest_start_minute",
		"latest_end_minute", "limit_price_nano", "regions", "providers", "max_carbon_mg", "carbon_price_nano", "min_sla",
		"interruptible", "min_fill", "max_leases", "time_in_force", "expires_at", "client_id", "placed_at", "open_units",
		"closed", "closed_at"}
	leaseColumns = []string{"id", "product", "bid", "offer", "consumer", "consumer_org", "provider", "provider_org", "region",
		"units", "start_minute", "end_minute", "price_nano", "carbon_mg", "sla", "interruptible", "take_or_pay_bps", "fee_bps",
		"hold_nano", "matched_at", "status", "accepted_at", "started_at", "ended_at", "settled_at", "charged_nano",
		"fee_paid_nano"}
)

// Where the mutable columns stand in a new row.
var (
	offerClosed = len(offerColumns) - 2
	bidOpen     = len(bidColumns) - 3
	leaseStatus = len(leaseColumns) - 7
)

func newRowChanges() *rowChanges {
	return &rowChanges{
		newOffer: make(map[uint64]int), newBid: make(map[uint64]int), newOne: make(map[uint64]int),
		openUnits: make(map[uint64]corehour.Units), leaseUpdates: make(map[uint64]*leaseUpdate),
	}
}

func asInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// note takes in one event.
func (r *rowChanges) note(e pendingEvent) {
	switch d := e.data.(type) {
	case corehour.Offer:
		r.newOffer[uint64(d.ID)] = len(r.offers)
		r.offers = append(r.offers, []any{int64(d.ID), string(d.Product), string(d.Provider), string(d.Org), string(d.Region),
			int64(d.Units), int64(d.From), int64(d.To), int64(d.Price), int64(d.Carbon), int64(d.SLA), asInt(d.Interruptible),
			int64(d.MinFill), int64(d.MinDuration), int64(d.TakeOrPay), d.ClientID, int64(d.PlacedAt), "", int64(0)})
	case corehour.OfferClosed:
		if i, ok := r.newOffer[uint64(d.Offer)]; ok {
			r.offers[i][offerClosed], r.offers[i][offerClosed+1] = string(d.Reason), int64(e.at)
		} else {
			r.offerUpdates = append(r.offerUpdates, closing{uint64(d.Offer), d.Reason, e.at})
		}
	case corehour.BidPlaced:
		r.newBid[uint64(d.ID)] = len(r.bids)
		r.bids = append(r.bids, bidRow(&d.Bid))
	case corehour.BidClosed:
		if i, ok := r.newBid[uint64(d.Bid)]; ok {
			r.bids[i][bidOpen+1], r.bids[i][bidOpen+2] = string(d.Reason), int64(e.at)
		} else {
			r.bidUpdates = append(r.bidUpdates, closing{uint64(d.Bid), d.Reason, e.at})
		}
	case corehour.LeaseMatched:
		r.noteMatch(&d)
	case corehour.LeaseChanged, corehour.LeaseEnded, corehour.ChargePosted, corehour.LeaseSettled:
		r.noteLease(e)
	}
}

func bidRow(b *corehour.Bid) []any {
	var carbonCap any
	if b.MaxCarbon != nil {
		carbonCap = int64(*b.MaxCarbon)
	}
	return []any{int64(b.ID), string(b.Product), string(b.Consumer), string(b.Org), int64(b.Units), int64(b.Duration),
		int64(b.EarliestStart), int64(b.LatestEnd), int64(b.Limit), setText(b.Regions), setText(b.Providers), carbonCap,
		int64(b.CarbonPrice), int64(b.MinSLA), asInt(b.Interruptible), int64(b.MinFill), int64(b.MaxLeases),
		int64(b.TimeInForce), int64(b.ExpiresAt), b.ClientID, int64(b.PlacedAt), int64(b.Units), "", int64(0)}
}

func setText[T ~string](set corehour.Allowed[T]) string {
	if len(set.Allow) == 0 && len(set.Deny) == 0 {
		return "{}"
	}
	text, err := json.Marshal(set)
	if err != nil {
		panic("exchange: a set of names does not encode: " + err.Error())
	}
	return string(text)
}

func (r *rowChanges) noteMatch(d *corehour.LeaseMatched) {
	r.newOne[uint64(d.ID)] = len(r.leases)
	r.leases = append(r.leases, []any{int64(d.ID), string(d.Product), int64(d.Bid), int64(d.Offer), string(d.Consumer),
		string(d.ConsumerOrg), string(d.Provider), string(d.ProviderOrg), string(d.Region), int64(d.Units), int64(d.Start),
		int64(d.End), int64(d.Price), int64(d.Carbon), int64(d.SLA), asInt(d.Interruptible), int64(d.TakeOrPay),
		int64(d.Fee), int64(d.Hold), int64(d.MatchedAt), string(corehour.StatusMatched), int64(0), int64(0), int64(0),
		int64(0), int64(0), int64(0)})
	bid := uint64(d.Bid)
	if i, ok := r.newBid[bid]; ok {
		r.bids[i][bidOpen] = int64(d.BidOpen)
		return
	}
	if _, ok := r.openUnits[bid]; !ok {
		r.openOrder = append(r.openOrder, bid)
	}
	r.openUnits[bid] = d.BidOpen
}

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
		u.status, u.endedAt = d.Status, d.EndedAt
	case corehour.ChargePosted:
		u := r.lease(d.Lease)
		u.charged += d.Amount
		u.feePaid += d.Fee
	case corehour.LeaseSettled:
		u := r.lease(d.Lease)
		u.status, u.settledAt = corehour.StatusSettled, e.at
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

// write carries the changes out.
func (r *rowChanges) write(ctx context.Context, tx *sql.Tx) error {
	if err := r.updateLeases(ctx, tx); err != nil {
		return err
	}
	for _, table := range [...]struct {
		name    string
		columns []string
		rows    [][]any
	}{{"exchange_offers", offerColumns, r.offers}, {"exchange_bids", bidColumns, r.bids}, {"exchange_leases", leaseColumns, r.leases}} {
		if err := database.Insert(ctx, tx, table.name, table.columns, table.rows, ""); err != nil {
			return err
		}
	}
	for _, bid := range r.openOrder {
		err := exec(ctx, tx, `UPDATE exchange_bids SET open_units = $1 WHERE id = $2`, int64(r.openUnits[bid]), int64(bid))
		if err != nil {
			return err
		}
	}
	for _, c := range r.bidUpdates {
		err := exec(ctx, tx, `UPDATE exchange_bids SET closed = $1, closed_at = $2 WHERE id = $3`, string(c.reason), int64(c.at), int64(c.id))
		if err != nil {
			return err
		}
	}
	for _, c := range r.offerUpdates {
		err := exec(ctx, tx, `UPDATE exchange_offers SET closed = $1, closed_at = $2 WHERE id = $3`, string(c.reason), int64(c.at), int64(c.id))
		if err != nil {
			return err
		}
	}
	return nil
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
				status = CASE WHEN $1 = '' THEN status ELSE $2 END,
				accepted_at = accepted_at + $3, started_at = started_at + $4, ended_at = ended_at + $5,
				settled_at = settled_at + $6, charged_nano = charged_nano + $7, fee_paid_nano = fee_paid_nano + $8
				WHERE id = $9`)
			if err != nil {
				return fmt.Errorf("exchange: leases: %w", err)
			}
			defer func() { _ = update.Close() }() // ends with the transaction at the latest
		}
		_, err := update.ExecContext(ctx, string(u.status), string(u.status), int64(u.acceptedAt), int64(u.startedAt),
			int64(u.endedAt), int64(u.settledAt), int64(u.charged), int64(u.feePaid), int64(id))
		if err != nil {
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
	for i, add := range [...]int64{int64(u.acceptedAt), int64(u.startedAt), int64(u.endedAt), int64(u.settledAt),
		int64(u.charged), int64(u.feePaid)} {
		columns[i+1] = columns[i+1].(int64) + add
	}
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	return nil
}
