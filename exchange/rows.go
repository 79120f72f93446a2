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
	seeks                    map[uint64]sought
	seekOrder                []uint64
	offerAmends              map[uint64]*corehour.Offer
	offerAmendOrder          []uint64
	bidAmends                map[uint64]*corehour.Bid
	bidAmendOrder            []uint64
	leaseUpdates             map[uint64]*leaseUpdate
	leaseOrder               []uint64
}

type closing struct {
	id     uint64
	reason corehour.CloseReason
	at     corehour.Instant
}

// sought is what a bid still seeks: units, each for so many minutes.
type sought struct {
	open corehour.Units
	left corehour.Minutes
}

var (
	offerColumns = []string{"id", "product", "provider", "org", "region", "units", "from_minute", "to_minute", "price_nano",
		"carbon_mg", "sla", "interruptible", "min_fill", "min_duration_minutes", "take_or_pay_bps", "client_id", "placed_at",
		"energy_mwh", "zone", "post_only", "closed", "closed_at"}
	bidColumns = []string{"id", "product", "consumer", "org", "units", "duration_minutes", "earliest_start_minute",
		"latest_end_minute", "limit_price_nano", "regions", "providers", "max_carbon_mg", "carbon_price_nano", "min_sla",
		"interruptible", "min_fill", "max_leases", "time_in_force", "expires_at", "client_id", "placed_at", "countries",
		"continents", "max_take_or_pay_bps", "min_piece_minutes", "bid_group", "post_only", "cover_interrupted", "cover_of",
		"open_units", "left_minutes", "closed", "closed_at"}
	leaseColumns = []string{"id", "product", "bid", "offer", "consumer", "consumer_org", "provider", "provider_org", "region",
		"units", "start_minute", "end_minute", "price_nano", "carbon_mg", "sla", "interruptible", "take_or_pay_bps", "fee_bps",
		"hold_nano", "matched_at", "accept_by", "start_by", "cover_of", "payer", "from_bond_nano", "status", "cause",
		"accepted_at", "started_at", "ended_at", "settled_at", "charged_nano", "fee_paid_nano", "suspect_since",
		"interrupt_minute", "credit_nano"}
)

// Where the mutable columns stand in a new row.
var (
	offerClosed = len(offerColumns) - 2
	bidOpen     = len(bidColumns) - 4
	leaseStatus = len(leaseColumns) - 11
)

func newRowChanges() *rowChanges {
	return &rowChanges{
		newOffer: make(map[uint64]int), newBid: make(map[uint64]int), newOne: make(map[uint64]int),
		seeks: make(map[uint64]sought), offerAmends: make(map[uint64]*corehour.Offer),
		bidAmends: make(map[uint64]*corehour.Bid), leaseUpdates: make(map[uint64]*leaseUpdate),
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
		r.offers = append(r.offers, offerRow(&d))
	case corehour.OfferAmended:
		r.noteOfferAmended(&d.Offer)
	case corehour.BidAmended:
		r.noteBidAmended(&d)
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
			r.bids[i][bidOpen+2], r.bids[i][bidOpen+3] = string(d.Reason), int64(e.at)
		} else {
			r.bidUpdates = append(r.bidUpdates, closing{uint64(d.Bid), d.Reason, e.at})
		}
	case corehour.LeaseMatched:
		r.noteMatch(&d)
	default:
		r.noteLease(e)
	}
}

func offerRow(o *corehour.Offer) []any {
	return []any{int64(o.ID), string(o.Product), string(o.Provider), string(o.Org), string(o.Region),
		int64(o.Units), int64(o.From), int64(o.To), int64(o.Price), int64(o.Carbon), int64(o.SLA), asInt(o.Interruptible),
		int64(o.MinFill), int64(o.MinDuration), int64(o.TakeOrPay), o.ClientID, int64(o.PlacedAt), int64(o.Energy),
		string(o.Zone), asInt(o.PostOnly), "", int64(0)}
}

func (r *rowChanges) noteOfferAmended(o *corehour.Offer) {
	id := uint64(o.ID)
	if i, ok := r.newOffer[id]; ok {
		r.offers[i] = offerRow(o)
		return
	}
	if _, ok := r.offerAmends[id]; !ok {
		r.offerAmendOrder = append(r.offerAmendOrder, id)
	}
	r.offerAmends[id] = o
}

func (r *rowChanges) noteBidAmended(d *corehour.BidAmended) {
	id := uint64(d.Bid.ID)
	if i, ok := r.newBid[id]; ok {
		r.bids[i] = bidRow(&d.Bid)
	} else {
		if _, ok := r.bidAmends[id]; !ok {
			r.bidAmendOrder = append(r.bidAmendOrder, id)
		}
		r.bidAmends[id] = &d.Bid
	}
	r.seek(d.Bid.ID, sought{d.Open, d.Left})
}

// seek notes what a bid still seeks.
func (r *rowChanges) seek(bid corehour.BidID, now sought) {
	id := uint64(bid)
	if i, ok := r.newBid[id]; ok {
		r.bids[i][bidOpen], r.bids[i][bidOpen+1] = int64(now.open), int64(now.left)
		return
	}
	if _, ok := r.seeks[id]; !ok {
		r.seekOrder = append(r.seekOrder, id)
	}
	r.seeks[id] = now
}

func bidRow(b *corehour.Bid) []any {
	return []any{int64(b.ID), string(b.Product), string(b.Consumer), string(b.Org), int64(b.Units), int64(b.Duration),
		int64(b.EarliestStart), int64(b.LatestEnd), int64(b.Limit), setText(b.Regions), setText(b.Providers), carbonCap(b),
		int64(b.CarbonPrice), int64(b.MinSLA), asInt(b.Interruptible), int64(b.MinFill), int64(b.MaxLeases),
		int64(b.TimeInForce), int64(b.ExpiresAt), b.ClientID, int64(b.PlacedAt), setText(b.Countries),
		setText(b.Continents), int64(b.MaxTakeOrPay), int64(b.MinPiece), int64(b.Group), asInt(b.PostOnly),
		asInt(b.CoverInterrupted), int64(b.CoverOf), int64(b.Units), int64(b.Duration), "", int64(0)}
}

// carbonCap is NULL where there is none.
func carbonCap(b *corehour.Bid) any {
	if b.MaxCarbon == nil {
		return nil
	}
	return int64(*b.MaxCarbon)
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
	if err := r.updateTerms(ctx, tx); err != nil {
		return err
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

// updateTerms changes what older orders seek and the terms that amendments change.
func (r *rowChanges) updateTerms(ctx context.Context, tx *sql.Tx) error {
	for _, id := range r.bidAmendOrder {
		b := r.bidAmends[id]
		err := exec(ctx, tx, `UPDATE exchange_bids SET units = $1, limit_price_nano = $2, earliest_start_minute = $3,
			latest_end_minute = $4, max_carbon_mg = $5, carbon_price_nano = $6, min_fill = $7, expires_at = $8 WHERE id = $9`,
			int64(b.Units), int64(b.Limit), int64(b.EarliestStart), int64(b.LatestEnd), carbonCap(b), int64(b.CarbonPrice),
			int64(b.MinFill), int64(b.ExpiresAt), int64(id))
		if err != nil {
			return err
		}
	}
	for _, id := range r.offerAmendOrder {
		o := r.offerAmends[id]
		err := exec(ctx, tx, `UPDATE exchange_offers SET units = $1, price_nano = $2, from_minute = $3, to_minute = $4,
			min_fill = $5, min_duration_minutes = $6 WHERE id = $7`,
			int64(o.Units), int64(o.Price), int64(o.From), int64(o.To), int64(o.MinFill), int64(o.MinDuration), int64(id))
		if err != nil {
			return err
		}
	}
	for _, id := range r.seekOrder {
		err := exec(ctx, tx, `UPDATE exchange_bids SET open_units = $1, left_minutes = $2 WHERE id = $3`,
			int64(r.seeks[id].open), int64(r.seeks[id].left), int64(id))
		if err != nil {
			return err
		}
	}
	return nil
}

func exec(ctx context.Context, tx *sql.Tx, query string, args ...any) error {
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	return nil
}
