package exchange

import (
	"context"

	"github.com/corehour/corehour"
)

// Totals adds up all bids and leases that the exchange has seen.
type Totals struct {
	Bids                int64
	BidsFilled          int64 // nothing was left open
	BidsPartiallyFilled int64
	BidsUnfilled        int64
	Leases              int64
	LeasesUnsettled     int64
	Requested           corehour.CPUTime // units x duration of the bids
	Leased              corehour.CPUTime // units x planned duration of the leases
}

// Totals are as of everything that was applied before the call. A bid that is
// still open counts by what it has so far.
func (x *Exchange) Totals(ctx context.Context) (t Totals, err error) {
	if err := x.Projected(ctx); err != nil {
		return t, err
	}
	var requested, leased int64 // unit-minutes
	err = x.cfg.DB.Reader().QueryRowContext(ctx, `SELECT COUNT(*),
		CAST(COALESCE(SUM(CASE WHEN open_units = 0 THEN 1 ELSE 0 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(CASE WHEN open_units = units AND left_minutes = duration_minutes THEN 1 ELSE 0 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(units * duration_minutes), 0) AS BIGINT) FROM exchange_bids`).
		Scan(&t.Bids, &t.BidsFilled, &t.BidsUnfilled, &requested)
	if err != nil {
		return t, corehour.Internal("exchange.Totals", err)
	}
	t.BidsPartiallyFilled = t.Bids - t.BidsFilled - t.BidsUnfilled
	err = x.cfg.DB.Reader().QueryRowContext(ctx, `SELECT COUNT(*),
		CAST(COALESCE(SUM(CASE WHEN status = $1 THEN 0 ELSE 1 END), 0) AS BIGINT),
		CAST(COALESCE(SUM(units * (end_minute - start_minute)), 0) AS BIGINT) FROM exchange_leases`,
		string(corehour.StatusSettled)).Scan(&t.Leases, &t.LeasesUnsettled, &leased)
	if err != nil {
		return t, corehour.Internal("exchange.Totals", err)
	}
	t.Requested, t.Leased = corehour.Capacity(1, corehour.Minutes(requested)), corehour.Capacity(1, corehour.Minutes(leased))
	return t, nil
}
