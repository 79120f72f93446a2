package orderbook_test

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/corehour/corehour"
	"github.com/corehour/corehour/orderbook"
)

// model is the naive book, the judge of the real one: loops over all pairs and
// all minutes, one number per offer and minute, one per zone and hour. It is
// written from the rules of doc.go and shares no code with the book. This file
// is who can meet, when, at what price, and what a bid takes; what each command
// does is in model_commands_test.go.
type model struct {
	now    corehour.Minute
	grid   *hourly
	offers []*modelOffer
	bids   []*orderbook.Bid // those that rest
}

type modelOffer struct {
	orderbook.Offer
	free []corehour.Units // by minute since From
}

// whole reports whether the bid fills completely at once or not at all.
func whole(bid *orderbook.Bid) bool {
	return bid.AllOrNone || bid.TimeInForce == corehour.FillOrKill
}

func splittable(bid *orderbook.Bid) bool { return bid.MinPiece > 0 }

// complete reports whether the bid has all that it wanted.
func complete(bid *orderbook.Bid) bool {
	if splittable(bid) {
		return bid.Duration == 0
	}
	return bid.Units == 0
}

func seeks(bid *orderbook.Bid) bool { return !complete(bid) && bid.MaxLeases > 0 }

// nextLength is how long the bid's next lease is. Pieces of a splittable bid are
// as short as it allows, but so long that those which are left can hold the rest
// and that the rest is no crumb.
func nextLength(bid *orderbook.Bid) corehour.Minutes {
	if !splittable(bid) {
		return bid.Duration
	}
	pieces := corehour.Minutes(bid.MaxLeases)
	d := max(bid.MinPiece, (bid.Duration+pieces-1)/pieces)
	if bid.Duration-d < bid.MinPiece {
		d = bid.Duration
	}
	return d
}

// atLeast is the fewest units that the bid takes in its next lease.
func atLeast(bid *orderbook.Bid) corehour.Units {
	switch {
	case splittable(bid):
		return bid.Units
	case whole(bid):
		return 1
	}
	return min(bid.MinFill, bid.Units)
}

func inBits(bits orderbook.RegionBits, r orderbook.RegionIndex) bool {
	return bits[r/64]&(1<<(r%64)) != 0
}

func allowsRegion(set *orderbook.RegionSet, r orderbook.RegionIndex) bool {
	return (set.AllowAll || inBits(set.Allow, r)) && !inBits(set.Deny, r)
}

// meets applies the conditions that don't depend on the start.
func meets(bid *orderbook.Bid, o *modelOffer) bool {
	switch {
	case bid.Org == o.Org,
		!allowsRegion(&bid.Regions, o.Region),
		!bid.Providers.AllowAll && !slices.Contains(bid.Providers.Allow, o.Provider),
		slices.Contains(bid.Providers.Deny, o.Provider),
		bid.MinSLA > o.SLA,
		o.Interruptible && !bid.Interruptible,
		o.MinDuration > nextLength(bid),
		o.TakeOrPay > bid.MaxTakeOrPay,
		o.Price > bid.Limit:
		return false
	}
	return true
}

// rate is what a unit-hour of the offer emits over [start, start+d).
func (m *model) rate(o *modelOffer, start corehour.Minute, d corehour.Minutes) corehour.CarbonRate {
	if o.Carbon.Zone == orderbook.NoZone {
		return o.Carbon.Rate
	}
	end, exposure := int64(start)+int64(d), int64(0)
	for hour := int64(start) / 60; hour*60 < end; hour++ {
		minutes := min(end, hour*60+60) - max(int64(start), hour*60)
		exposure += minutes * int64(m.grid.at(o.Carbon.Zone, hour))
	}
	whole := int64(d) * 1_000_000
	return corehour.CarbonRate((int64(o.Carbon.Energy)*exposure + whole - 1) / whole)
}

// carbonCost is ceil(carbon price x rate / 1e9), in parts that fit 64 bits.
func carbonCost(price corehour.CarbonPrice, rate corehour.CarbonRate) corehour.Price {
	const scale = 1_000_000_000
	high, low := int64(price)/scale, int64(price)%scale
	return corehour.Price(high*int64(rate) + (low*int64(rate)+scale-1)/scale)
}

// effective is what a lease from a start counts as, and whether the bid's carbon
// cap and limit allow it.
func (m *model) effective(bid *orderbook.Bid, o *modelOffer, start corehour.Minute) (corehour.Price, bool) {
	rate := m.rate(o, start, nextLength(bid))
	price := o.Price + carbonCost(bid.CarbonPrice, rate)
	return price, rate <= bid.MaxCarbon && price <= bid.Limit
}

// free is how many units of the offer are free over the whole of [start, start+d):
// none where that is not within its window or has begun.
func (m *model) free(o *modelOffer, start corehour.Minute, d corehour.Minutes) corehour.Units {
	end := start.Add(d)
	if start < m.now || start < o.From || end > o.To {
		return 0
	}
	return slices.Min(o.free[start-o.From : end-o.From])
}

// fits reports whether need units are free for the bid's next lease from a start
// that its own window and its pieces allow.
func (m *model) fits(bid *orderbook.Bid, o *modelOffer, start corehour.Minute, need corehour.Units) bool {
	d := nextLength(bid)
	end := start.Add(d)
	if start < bid.EarliestStart || end > bid.LatestEnd {
		return false
	}
	for _, piece := range bid.Taken {
		if start < piece.To && end > piece.From {
			return false
		}
	}
	return m.free(o, start, d) >= need
}

// chance is a lease that a bid could have.
type chance struct {
	offer     *modelOffer
	start     corehour.Minute
	effective corehour.Price
}

// better ranks chances: the lower effective price, the earlier start, the offer
// that came first.
func (c chance) better(other chance) bool {
	return cmp.Or(
		cmp.Compare(c.effective, other.effective),
		cmp.Compare(c.start, other.start),
		cmp.Compare(c.offer.Arrival, other.offer.Arrival),
	) < 0
}

// onTheHour reports whether a lease begins or ends on the hour.
func onTheHour(start corehour.Minute, d corehour.Minutes) bool {
	return start%60 == 0 || start.Add(d)%60 == 0
}

// chance is the bid's best possible lease of an offer. Of the starts at which it
// fits only those count that border on ones at which it does not, and those at
// which it begins or ends on the hour: between them the carbon is linear.
func (m *model) chance(bid *orderbook.Bid, o *modelOffer) (best chance, ok bool) {
	if !meets(bid, o) || o.MinFill > bid.Units {
		return chance{}, false
	}
	need := max(o.MinFill, atLeast(bid))
	first, last := max(bid.EarliestStart, o.From), min(bid.LatestEnd, o.To)
	before := false
	for start := first; start < last; start++ {
		if !m.fits(bid, o, start, need) {
			before = false
			continue
		}
		counts := !before || onTheHour(start, nextLength(bid)) || !m.fits(bid, o, start+1, need)
		before = true
		if !counts {
			continue
		}
		if price, allowed := m.effective(bid, o, start); allowed {
			c := chance{o, start, price}
			if !ok || c.better(best) {
				best, ok = c, true
			}
		}
	}
	return best, ok
}

// lease makes a lease of all the bid seeks, or of all that is free.
func (m *model) lease(bid *orderbook.Bid, c chance) orderbook.Fill {
	d := nextLength(bid)
	f := orderbook.Fill{
		Bid: bid.ID, Offer: c.offer.ID, Units: min(bid.Units, m.free(c.offer, c.start, d)),
		Start: c.start, End: c.start.Add(d), Price: c.offer.Price, Carbon: m.rate(c.offer, c.start, d),
	}
	if bid.Arrival < c.offer.Arrival {
		pays := bid.Limit - carbonCost(bid.CarbonPrice, f.Carbon)
		f.Price = pays / corehour.Tick * corehour.Tick
	}
	for minute := f.Start; minute < f.End; minute++ {
		c.offer.free[minute-c.offer.From] -= f.Units
	}
	bid.MaxLeases--
	if !splittable(bid) {
		bid.Units -= f.Units
		return f
	}
	bid.Duration -= d
	bid.Taken = append(slices.Clone(bid.Taken), orderbook.Span{From: f.Start, To: f.End})
	slices.SortFunc(bid.Taken, func(x, y orderbook.Span) int { return cmp.Compare(x.From, y.From) })
	return f
}

// fill gives the bid what it can get now of all offers.
func (m *model) fill(bid *orderbook.Bid) []orderbook.Fill {
	switch {
	case whole(bid) && splittable(bid):
		return m.takeAllPieces(bid)
	case whole(bid):
		return m.takeWhole(bid, func(corehour.Minute) bool { return true })
	}
	return m.takeBest(bid)
}

// takeBest takes the best lease again and again.
func (m *model) takeBest(bid *orderbook.Bid) (fills []orderbook.Fill) {
	for seeks(bid) {
		var best chance
		for _, o := range m.offers {
			if c, ok := m.chance(bid, o); ok && (best.offer == nil || c.better(best)) {
				best = c
			}
		}
		if best.offer == nil {
			break
		}
		fills = append(fills, m.lease(bid, best))
	}
	return fills
}

// takeAllPieces takes all pieces of a splittable bid or none.
func (m *model) takeAllPieces(bid *orderbook.Bid) []orderbook.Fill {
	before := *bid
	fills := m.takeBest(bid)
	if complete(bid) {
		return fills
	}
	for _, f := range fills {
		o := m.offer(f.Offer)
		for minute := f.Start; minute < f.End; minute++ {
			o.free[minute-o.From] += f.Units
		}
	}
	*bid = before
	return nil
}

// part is what an all-or-none bid takes of one offer.
type part struct {
	chance
	units corehour.Units
}

// takeWhole fills an all-or-none bid with leases that start in one minute, the
// usable one of least total cost, then the earliest.
func (m *model) takeWhole(bid *orderbook.Bid, usable func(corehour.Minute) bool) (fills []orderbook.Fill) {
	var best []part
	var least *big.Int
	for start := max(bid.EarliestStart, m.now); start.Add(bid.Duration) <= bid.LatestEnd; start++ {
		if !usable(start) {
			continue
		}
		parts, cost := m.partsAt(bid, start)
		if parts != nil && m.counts(bid, parts, start) && (best == nil || cost.Cmp(least) < 0) {
			best, least = parts, cost
		}
	}
	for _, p := range best {
		fills = append(fills, m.lease(bid, p.chance))
	}
	return fills
}

// sellable is what an offer could lease from a start: what is free, or nothing
// where that is below its minimum fill.
func (m *model) sellable(o *modelOffer, start corehour.Minute, d corehour.Minutes) corehour.Units {
	if free := m.free(o, start, d); free >= o.MinFill {
		return free
	}
	return 0
}

// partsAt takes from one offer after the other, the cheapest first, until
// nothing is open; nothing is taken back. It returns none where that fails.
func (m *model) partsAt(bid *orderbook.Bid, start corehour.Minute) (parts []part, cost *big.Int) {
	var chances []chance
	for _, o := range m.offers {
		if !meets(bid, o) || m.sellable(o, start, bid.Duration) == 0 {
			continue
		}
		if price, allowed := m.effective(bid, o, start); allowed {
			chances = append(chances, chance{o, start, price})
		}
	}
	slices.SortFunc(chances, func(x, y chance) int {
		if x.better(y) {
			return -1
		}
		return 1
	})
	cost = new(big.Int)
	open := bid.Units
	for _, c := range chances {
		if open == 0 || len(parts) == bid.MaxLeases {
			break
		}
		if c.offer.MinFill > open {
			continue
		}
		units := min(open, m.sellable(c.offer, start, bid.Duration))
		parts = append(parts, part{c, units})
		open -= units
		cost.Add(cost, new(big.Int).Mul(big.NewInt(int64(units)), big.NewInt(int64(c.effective))))
	}
	if open > 0 {
		return nil, nil
	}
	return parts, cost
}

// counts reports whether a start at which an all-or-none bid could be filled is
// one that counts: the first or the last one, one on the hour, or one at which
// what one of the used offers could lease is not what it was or will be.
func (m *model) counts(bid *orderbook.Bid, parts []part, start corehour.Minute) bool {
	d := bid.Duration
	if start == max(bid.EarliestStart, m.now) || start.Add(d) == bid.LatestEnd || onTheHour(start, d) {
		return true
	}
	for _, p := range parts {
		g := m.sellable(p.offer, start, d)
		if m.sellable(p.offer, start-1, d) != g || m.sellable(p.offer, start+1, d) != g {
			return true
		}
	}
	return false
}
