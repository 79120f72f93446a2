package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// Questions about the market are answered from the live state, as of what has
// been applied, at the clock's time where that is later than the newest command.
// They change nothing, but a book uses its buffers to answer, so each holds the
// state's lock for writing; a long one lets go of it from time to time. They take
// turns, so that trading waits for one of them at most (turns.go). What would be
// rejected as a command is an error with the rejection's code and field.

// Quote is what a bid would get if it came now. Funds are not asked for.
func (x *Exchange) Quote(ctx context.Context, c PlaceBid) (Quote, error) {
	return respond(ctx, x, func(v *view) (Quote, Reply) { return v.quote(c) })
}

// Explain is a quote with the single changes of the bid that would fill it now.
func (x *Exchange) Explain(ctx context.Context, c PlaceBid) (Explanation, error) {
	return respond(ctx, x, func(v *view) (Explanation, Reply) { return v.explainNew(c) })
}

// ExplainOpen explains what is open of a consumer's bid.
func (x *Exchange) ExplainOpen(ctx context.Context, consumer corehour.AccountID, id corehour.BidID) (Explanation, error) {
	return respond(ctx, x, func(v *view) (Explanation, Reply) { return v.explainOpen(consumer, id) })
}

// Depth is both sides of a region's book.
func (x *Exchange) Depth(ctx context.Context, q DepthQuery) (Depth, error) {
	return respond(ctx, x, func(v *view) (Depth, Reply) { return v.depth(q) })
}

// TopOfBook is the best of each side in every region.
func (x *Exchange) TopOfBook(ctx context.Context, q TopQuery) (TopOfBook, error) {
	return respond(ctx, x, func(v *view) (TopOfBook, Reply) { return v.topOfBook(q) })
}

// HeatMap is the best offers of regions hour by hour. It lets commands through
// between regions, so its rows may be of different moments.
func (x *Exchange) HeatMap(ctx context.Context, q HeatQuery) (HeatMap, error) {
	var m HeatMap
	var refusal Reply
	if err := x.read(ctx, func(*State) { m, refusal = x.asked().heatMap(q) }); err != nil {
		return HeatMap{}, err
	}
	if refusal.Rejected() {
		return HeatMap{}, refusal.err()
	}
	for i := range m.Rows {
		if err := x.ask(ctx, func(v *view) { v.heat(&m, &m.Rows[i]) }); err != nil {
			return HeatMap{}, err
		}
	}
	return m, nil
}

// Zones lists the grid zones in the order of their definition.
func (x *Exchange) Zones(ctx context.Context) (zones []corehour.Zone, err error) {
	err = x.read(ctx, func(s *State) { zones = slices.Clone(s.zones) })
	return zones, err
}

// Intensity is what is known of a grid zone's carbon intensity.
func (x *Exchange) Intensity(ctx context.Context, zone corehour.ZoneID) (curve IntensityCurve, err error) {
	known := false
	err = x.read(ctx, func(s *State) {
		var i orderbook.ZoneIndex
		if i, known = s.zoneNamed[zone]; known {
			mean, from, values := s.grid.Curve(i)
			curve = IntensityCurve{Zone: s.zones[i-1], From: from, Values: slices.Clone(values)}
			for i, v := range curve.Values {
				if v == orderbook.NoIntensity {
					curve.Values[i] = mean
				}
			}
		}
	})
	if err == nil && !known {
		err = notFound("zone")
	}
	return curve, err
}

// respond asks a question that may be refused.
func respond[T any](ctx context.Context, x *Exchange, question func(*view) (T, Reply)) (answered T, err error) {
	var refusal Reply
	if err := x.ask(ctx, func(v *view) { answered, refusal = question(v) }); err != nil {
		return answered, err
	}
	return answered, refusal.err()
}

// ask lets a question read the state when its turn has come.
func (x *Exchange) ask(ctx context.Context, question func(*view)) error {
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin)
	defer cancel()
	if err := x.current(ctx); err != nil {
		return err
	}
	if err := x.questions.take(ctx); err != nil {
		return unavailable("the exchange is busy with other questions", err)
	}
	x.mu.Lock()
	began := time.Now()
	defer func() {
		x.mu.Unlock()
		x.questions.give(time.Since(began))
	}()
	question(x.asked())
	return nil
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
