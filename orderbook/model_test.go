package orderbook_test

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// model is the naive book, the judge of the real one: loops over all pairs and
// all minutes, and one number per offer and minute. It is written from the rules
// and shares no code with the book.
type model struct {
	now    corehour.Minute
	offers []*modelOffer
	bids   []*orderbook.Bid
}

type modelOffer struct {
	orderbook.Offer
	free []corehour.Units // by minute since From
}

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

func whole(bid *orderbook.Bid) bool {
	return bid.AllOrNone || bid.TimeInForce == corehour.FillOrKill
}

func inBits(bits orderbook.RegionBits, r orderbook.RegionIndex) bool {
	for word := range bits {
		for bit := range 64 {
			if word*64+bit == int(r) {
				return bits[word]&(1<<bit) != 0
			}
		}
	}
	return false
}

// effective is price + ceil(carbon price x carbon / 1e9).
func effective(bid *orderbook.Bid, o *modelOffer) corehour.Price {
	return o.Price + (corehour.Price(bid.CarbonPrice)*corehour.Price(o.Carbon)+999_999_999)/1_000_000_000
}

// meets applies the hard conditions other than time and quantity.
func meets(bid *orderbook.Bid, o *modelOffer) bool {
	switch {
	case bid.Org == o.Org,
		!bid.Regions.AllowAll && !inBits(bid.Regions.Allow, o.Region),
		inBits(bid.Regions.Deny, o.Region),
		!bid.Providers.AllowAll && !slices.Contains(bid.Providers.Allow, o.Provider),
		slices.Contains(bid.Providers.Deny, o.Provider),
		bid.MinSLA > o.SLA,
		o.Carbon > bid.MaxCarbon,
		o.Interruptible && !bid.Interruptible,
		bid.Duration < o.MinDuration,
		effective(bid, o) > bid.Limit:
		return false
	}
	return true
}

// freeFrom is how many units a lease of the bid from a start could have, zero
// where it fits no window.
func (m *model) freeFrom(bid *orderbook.Bid, o *modelOffer, start corehour.Minute) corehour.Units {
	end := start + corehour.Minute(bid.Duration)
	if start < m.now || start < bid.EarliestStart || start < o.From || end > bid.LatestEnd || end > o.To {
		return 0
	}
	return slices.Min(o.free[start-o.From : end-o.From])
}

// could reports whether a lease could be made now, apart from all-or-none bids.
func (m *model) could(bid *orderbook.Bid, o *modelOffer, start corehour.Minute) bool {
	free := m.freeFrom(bid, o, start)
	return bid.Units >= o.MinFill && free >= o.MinFill && free > 0 && (free >= bid.MinFill || free >= bid.Units)
}

func (m *model) lease(bid *orderbook.Bid, o *modelOffer, start corehour.Minute, units corehour.Units) orderbook.Fill {
	f := orderbook.Fill{
		Bid: bid.ID, Offer: o.ID, Units: units, Start: start, End: start + corehour.Minute(bid.Duration),
		Carbon: o.Carbon, Price: o.Price,
	}
	if bid.Arrival < o.Arrival {
		f.Price = bid.Limit - (effective(bid, o) - o.Price)
		f.Price = f.Price / corehour.Tick * corehour.Tick
	}
	for minute := f.Start; minute < f.End; minute++ {
		o.free[minute-o.From] -= units
	}
	bid.Units -= units
	bid.MaxLeases--
	return f
}

// takeBest is rule 3 over some offers.
func (m *model) takeBest(bid *orderbook.Bid, offers []*modelOffer) (fills []orderbook.Fill) {
	for bid.Units > 0 && bid.MaxLeases > 0 {
		var best *modelOffer
		var bestStart corehour.Minute
		for _, o := range offers {
			if !meets(bid, o) {
				continue
			}
			for start := o.From; start < o.To; start++ {
				if !m.could(bid, o, start) {
					continue
				}
				if best == nil || cmp.Or(
					cmp.Compare(effective(bid, o), effective(bid, best)),
					cmp.Compare(start, bestStart),
					cmp.Compare(o.Arrival, best.Arrival),
				) < 0 {
					best, bestStart = o, start
				}
			}
		}
		if best == nil {
			break
		}
		fills = append(fills, m.lease(bid, best, bestStart, min(bid.Units, m.freeFrom(bid, best, bestStart))))
	}
	return fills
}

// useful limits the starts of a resting all-or-none bid to those at which new
// capacity of one offer over [from, to) is of use.
type useful struct {
	offer    *modelOffer
	from, to corehour.Minute
}

// takeWhole is rule 6. fresh nil is an incoming bid.
func (m *model) takeWhole(bid *orderbook.Bid, fresh *useful) (fills []orderbook.Fill) {
	type part struct {
		offer *modelOffer
		units corehour.Units
	}
	var offers []*modelOffer
	for _, o := range m.offers {
		if meets(bid, o) {
			offers = append(offers, o)
		}
	}
	slices.SortFunc(offers, func(x, y *modelOffer) int {
		return cmp.Or(cmp.Compare(effective(bid, x), effective(bid, y)), cmp.Compare(x.Arrival, y.Arrival))
	})
	var best []part
	var bestStart corehour.Minute
	var least *big.Int
	for start := bid.EarliestStart; start < bid.LatestEnd; start++ {
		if fresh != nil {
			shares := start < fresh.to && start+corehour.Minute(bid.Duration) > fresh.from
			if !shares || m.freeFrom(bid, fresh.offer, start) < fresh.offer.MinFill {
				continue
			}
		}
		var parts []part
		sum, open := new(big.Int), bid.Units
		for _, o := range offers {
			units := min(open, m.freeFrom(bid, o, start))
			if units > 0 && units >= o.MinFill && len(parts) < bid.MaxLeases {
				parts = append(parts, part{o, units})
				open -= units
				sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(units)), big.NewInt(int64(effective(bid, o)))))
			}
		}
		if open == 0 && (least == nil || sum.Cmp(least) < 0) {
			best, bestStart, least = parts, start, sum
		}
	}
	for _, p := range best {
		fills = append(fills, m.lease(bid, p.offer, bestStart, p.units))
	}
	return fills
}

func (m *model) placeBid(bid orderbook.Bid) (fills []orderbook.Fill) {
	if whole(&bid) {
		fills = m.takeWhole(&bid, nil)
	} else {
		fills = m.takeBest(&bid, m.offers)
	}
	if bid.Units > 0 && bid.MaxLeases > 0 && bid.TimeInForce <= corehour.GoodTillTime {
		m.bids = append(m.bids, &bid)
	}
	return fills
}

func (m *model) placeOffer(o orderbook.Offer) []orderbook.Fill {
	placed := &modelOffer{Offer: o, free: slices.Repeat([]corehour.Units{o.Units}, int(o.To-o.From))}
	m.offers = append(m.offers, placed)
	return m.serve(placed, max(o.From, m.now), o.To)
}

func (m *model) release(id corehour.OfferID, units corehour.Units, from, to corehour.Minute) []orderbook.Fill {
	o := m.offer(id)
	from = max(from, m.now)
	if o == nil || from >= to {
		return nil
	}
	for minute := from; minute < to; minute++ {
		o.free[minute-o.From] += units
	}
	return m.serve(o, from, to)
}

// serve is rule 4. A bid that took anything is tried against all offers again:
// where its needed minimum has not fallen, that must find nothing.
func (m *model) serve(o *modelOffer, from, to corehour.Minute) (fills []orderbook.Fill) {
	queue := slices.Clone(m.bids)
	slices.SortFunc(queue, func(x, y *orderbook.Bid) int {
		return cmp.Or(
			cmp.Compare(y.Limit-effective(y, o), x.Limit-effective(x, o)),
			cmp.Compare(x.Arrival, y.Arrival),
		)
	})
	for _, bid := range queue {
		switch {
		case !meets(bid, o) || bid.Units < o.MinFill:
		case whole(bid):
			fills = append(fills, m.takeWhole(bid, &useful{o, from, to})...)
		default:
			if taken := m.takeBest(bid, []*modelOffer{o}); len(taken) > 0 {
				fills = append(fills, taken...)
				fills = append(fills, m.takeBest(bid, m.offers)...)
			}
		}
		if bid.Units == 0 || bid.MaxLeases == 0 {
			m.cancelBid(bid.ID)
		}
	}
	return fills
}

func (m *model) cancelBid(id corehour.BidID) {
	m.bids = slices.DeleteFunc(m.bids, func(bid *orderbook.Bid) bool { return bid.ID == id })
}

func (m *model) cancelOffer(id corehour.OfferID) {
	m.offers = slices.DeleteFunc(m.offers, func(o *modelOffer) bool { return o.ID == id })
}
