package exchange

import (
	"context"
	"slices"

	"github.com/corehour/corehour"
)

// Questions about the market are answered from the live state, as of what has
// been applied, at the clock's time where that is later than the newest command.
// They change nothing, but a book uses its buffers to answer, so each holds the
// state's lock for writing. A long one lets go of it from time to time. What
// would be rejected as a command is an error with the rejection's code and field.

// Quote is what a bid would get if it came now. Funds are not asked for.
func (x *Exchange) Quote(_ context.Context, c PlaceBid) (Quote, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	q, refusal := x.asked().quote(c)
	return q, refusal.err()
}

// Explain is a quote with the single changes of the bid that would fill it now.
func (x *Exchange) Explain(_ context.Context, c PlaceBid) (Explanation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, refusal := x.asked().explainNew(c)
	return e, refusal.err()
}

// ExplainOpen explains what is open of a consumer's bid.
func (x *Exchange) ExplainOpen(_ context.Context, consumer corehour.AccountID, id corehour.BidID) (Explanation, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e, refusal := x.asked().explainOpen(consumer, id)
	return e, refusal.err()
}

// Depth is both sides of a region's book.
func (x *Exchange) Depth(_ context.Context, q DepthQuery) (Depth, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d, refusal := x.asked().depth(q)
	return d, refusal.err()
}

// TopOfBook is the best of each side in every region.
func (x *Exchange) TopOfBook(_ context.Context, q TopQuery) (TopOfBook, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	top, refusal := x.asked().topOfBook(q)
	return top, refusal.err()
}

// HeatMap is the best offers of regions hour by hour. It lets commands through
// between regions, so its rows may be of different moments.
func (x *Exchange) HeatMap(_ context.Context, q HeatQuery) (HeatMap, error) {
	x.mu.RLock()
	m, refusal := x.asked().heatMap(q)
	x.mu.RUnlock()
	if refusal.Rejected() {
		return HeatMap{}, refusal.err()
	}
	for i := range m.Rows {
		x.mu.Lock()
		x.asked().heat(&m, &m.Rows[i])
		x.mu.Unlock()
	}
	return m, nil
}

// Zones lists the grid zones in the order of their definition.
func (x *Exchange) Zones(context.Context) ([]corehour.Zone, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.state.zones), nil
}

// Intensity is what is known of a grid zone's carbon intensity.
func (x *Exchange) Intensity(_ context.Context, zone corehour.ZoneID) (IntensityCurve, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	i, known := x.state.zoneNamed[zone]
	if !known {
		return IntensityCurve{}, notFound("zone")
	}
	_, from, values := x.state.grid.Curve(i)
	return IntensityCurve{Zone: x.state.zones[i-1], From: from, Values: slices.Clone(values)}, nil
}

// asked is the state as a question sees it at the clock's time.
func (x *Exchange) asked() *view { return x.state.asOf(corehour.InstantOf(x.cfg.Clock.Now())) }

// err is the rejection as an error, nil where there is none.
func (r *Reply) err() error {
	if !r.Rejected() {
		return nil
	}
	return &corehour.Error{Kind: corehour.KindRejected, Code: r.Code, Field: r.Field, Message: r.Message}
}
