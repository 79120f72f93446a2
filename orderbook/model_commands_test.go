package orderbook_test

import (
	"cmp"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

func (m *model) offer(id corehour.OfferID) *modelOffer {
	for _, o := range m.offers {
		if o.ID == id {
			return o
		}
	}
	return nil
}

func (m *model) bid(id corehour.BidID) *orderbook.Bid {
	for _, bid := range m.bids {
		if bid.ID == id {
			return bid
		}
	}
	return nil
}

// clone is a model to try something on.
func (m *model) clone() *model {
	c := &model{now: m.now, grid: m.grid}
	for _, o := range m.offers {
		c.offers = append(c.offers, &modelOffer{o.Offer, slices.Clone(o.free)})
	}
	for _, bid := range m.bids {
		other := *bid
		c.bids = append(c.bids, &other)
	}
	return c
}

// settle does what follows from a bid's new leases: a bid that has all takes its
// siblings out of the book, and one that seeks no more leaves it.
func (m *model) settle(out *orderbook.Outcome, bid *orderbook.Bid, fills []orderbook.Fill) {
	out.Fills = append(out.Fills, fills...)
	if !seeks(bid) {
		m.cancelBid(bid.ID)
	}
	if !complete(bid) || bid.Group == 0 {
		return
	}
	for _, sibling := range m.inOrder() {
		if sibling.Group == bid.Group {
			m.cancelBid(sibling.ID)
			out.Dropped = append(out.Dropped, sibling.ID)
		}
	}
}

// inOrder is the resting bids as they came.
func (m *model) inOrder() []*orderbook.Bid {
	return slices.SortedFunc(slices.Values(m.bids), func(x, y *orderbook.Bid) int {
		return cmp.Compare(x.Arrival, y.Arrival)
	})
}

func (m *model) placeBid(bid orderbook.Bid) (out orderbook.Outcome) {
	if bid.PostOnly && len(m.quote(bid)) > 0 {
		return orderbook.Outcome{Refused: true}
	}
	m.settle(&out, &bid, m.fill(&bid))
	if seeks(&bid) && bid.TimeInForce <= corehour.GoodTillTime {
		m.bids = append(m.bids, &bid)
	}
	return out
}

// quote is what a bid would take if it came now.
func (m *model) quote(bid orderbook.Bid) []orderbook.Fill { return m.clone().fill(&bid) }

func (m *model) placeOffer(o orderbook.Offer) (out orderbook.Outcome) {
	if o.PostOnly {
		would := o
		would.PostOnly = false
		if len(m.clone().placeOffer(would).Fills) > 0 {
			return orderbook.Outcome{Refused: true}
		}
	}
	placed := &modelOffer{Offer: o, free: slices.Repeat([]corehour.Units{o.Units}, int(o.To-o.From))}
	m.offers = append(m.offers, placed)
	m.serve(&out, placed, o.From, o.To)
	return out
}

// amendOffer puts another offer in the place of one, of which it keeps what is
// sold from now on; ok is false where it does not cover that.
func (m *model) amendOffer(o orderbook.Offer) (out orderbook.Outcome, ok bool) {
	old := m.offer(o.ID)
	if old == nil {
		return out, false
	}
	amended := &modelOffer{Offer: o, free: slices.Repeat([]corehour.Units{o.Units}, int(o.To-o.From))}
	for minute := max(m.now, old.From); minute < old.To; minute++ {
		sold := old.Units - old.free[minute-old.From]
		if sold == 0 {
			continue
		}
		if minute < o.From || minute >= o.To || sold > o.Units {
			return out, false
		}
		amended.free[minute-o.From] -= sold
	}
	replace := func(m *model, o *modelOffer) orderbook.Outcome {
		var out orderbook.Outcome
		m.cancelOffer(o.ID)
		m.offers = append(m.offers, o)
		m.serve(&out, o, o.From, o.To)
		return out
	}
	if o.PostOnly && len(replace(m.clone(), &modelOffer{o, slices.Clone(amended.free)}).Fills) > 0 {
		return orderbook.Outcome{Refused: true}, true
	}
	return replace(m, amended), true
}

// reduceOffer lowers what an offer has for sale in all.
func (m *model) reduceOffer(id corehour.OfferID, units corehour.Units) bool {
	o := m.offer(id)
	if o == nil || units < o.MinFill {
		return false
	}
	less := o.Units - units
	for minute := max(m.now, o.From); minute < o.To; minute++ {
		if o.free[minute-o.From] < less {
			return false
		}
	}
	o.Units = units
	for i := range o.free {
		o.free[i] -= less
	}
	return true
}

// reduceBid lowers what a resting bid seeks. Fewer units can be had where more
// could not, so it is tried again.
func (m *model) reduceBid(id corehour.BidID, units corehour.Units) (out orderbook.Outcome) {
	bid := m.bid(id)
	bid.Units = units
	bid.MinFill = min(bid.MinFill, units)
	m.settle(&out, bid, m.fill(bid))
	return out
}

func (m *model) release(id corehour.OfferID, units corehour.Units, from, to corehour.Minute) (out orderbook.Outcome) {
	o := m.offer(id)
	from = max(from, m.now)
	if o == nil || from >= to {
		return out
	}
	for minute := from; minute < to; minute++ {
		o.free[minute-o.From] += units
	}
	m.serve(&out, o, from, to)
	return out
}

// serve gives new capacity of an offer over [from, to) to the resting bid that
// would pay it most, again and again. Most bids take one lease in a turn; one
// that has become less demanding by it is at once tried against all offers. An
// all-or-none bid has one turn in all.
func (m *model) serve(out *orderbook.Outcome, o *modelOffer, from, to corehour.Minute) {
	hadTurn := map[corehour.BidID]bool{}
	for {
		var best *orderbook.Bid
		var at chance
		var most corehour.Price
		for _, bid := range m.inOrder() {
			c, ok := m.chance(bid, o)
			if !ok || hadTurn[bid.ID] {
				continue
			}
			if pays := bid.Limit - (c.effective - o.Price); best == nil || pays > most {
				best, at, most = bid, c, pays
			}
		}
		if best == nil {
			return
		}
		var fills []orderbook.Fill
		switch needed := atLeast(best); {
		case whole(best) && splittable(best):
			hadTurn[best.ID] = true
			fills = m.takeAllPieces(best)
		case whole(best):
			hadTurn[best.ID] = true
			d := best.Duration
			fills = m.takeWhole(best, func(start corehour.Minute) bool {
				return start < to && start.Add(d) > from && m.free(o, start, d) >= o.MinFill
			})
		default:
			fills = []orderbook.Fill{m.lease(best, at)}
			if splittable(best) || atLeast(best) < needed {
				fills = append(fills, m.takeBest(best)...)
			}
		}
		m.settle(out, best, fills)
	}
}

// reconsider tries resting bids again that care for carbon, after the intensity
// of an hour in [from, to) fell.
func (m *model) reconsider(from, to corehour.Minute) (out orderbook.Outcome) {
	for _, bid := range m.inOrder() {
		cares := bid.CarbonPrice > 0 || bid.MaxCarbon < orderbook.NoCarbonCap
		if cares && bid.EarliestStart < to && bid.LatestEnd > from && m.bid(bid.ID) != nil {
			m.settle(&out, bid, m.fill(bid))
		}
	}
	return out
}

func (m *model) cancelBid(id corehour.BidID) {
	m.bids = slices.DeleteFunc(m.bids, func(bid *orderbook.Bid) bool { return bid.ID == id })
}

func (m *model) cancelOffer(id corehour.OfferID) {
	m.offers = slices.DeleteFunc(m.offers, func(o *modelOffer) bool { return o.ID == id })
}

// offerDepth is what is for sale over exactly the minutes of the query, by
// effective price.
func (m *model) offerDepth(q orderbook.DepthQuery) (levels []orderbook.Level) {
	d := q.To.Sub(q.From)
	for _, o := range m.offers {
		if free := m.sellable(o, q.From, d); o.Region == q.Region && o.MinDuration <= d && free > 0 {
			price := o.Price + carbonCost(q.CarbonPrice, m.rate(o, q.From, d))
			levels = append(levels, orderbook.Level{Price: price, Units: free, Orders: 1})
		}
	}
	slices.SortFunc(levels, func(x, y orderbook.Level) int { return cmp.Compare(x.Price, y.Price) })
	return merged(levels, q.Levels)
}

// bidDepth is what is sought that capacity of the region over exactly the minutes
// of the query could serve, by limit.
func (m *model) bidDepth(q orderbook.DepthQuery) (levels []orderbook.Level) {
	capacity := &modelOffer{Offer: orderbook.Offer{From: q.From, To: q.To}}
	capacity.free = slices.Repeat([]corehour.Units{corehour.MaxUnits}, int(q.To-q.From))
	for _, bid := range m.bids {
		could := false
		for start := q.From; start < q.To; start++ {
			could = could || m.fits(bid, capacity, start, 1)
		}
		if could && allowsRegion(&bid.Regions, q.Region) {
			levels = append(levels, orderbook.Level{Price: bid.Limit, Units: bid.Units, Orders: 1})
		}
	}
	slices.SortFunc(levels, func(x, y orderbook.Level) int { return cmp.Compare(y.Price, x.Price) })
	return merged(levels, q.Levels)
}

// merged adds up neighbours of one price and keeps the first so many levels.
func merged(orders []orderbook.Level, most int) (levels []orderbook.Level) {
	for _, l := range orders {
		if last := len(levels) - 1; last >= 0 && levels[last].Price == l.Price {
			levels[last].Units += l.Units
			levels[last].Orders++
		} else {
			levels = append(levels, l)
		}
	}
	return levels[:min(len(levels), most)]
}
