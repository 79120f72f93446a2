package orderbook

import (
	"github.com/corehour/corehour"
)

// probe is a bid of nobody for exactly the minutes of a query.
func (q *DepthQuery) probe() Bid {
	bid := Bid{
		Org: OrgIndex(nobody), Units: corehour.MaxUnits, Duration: q.To.Sub(q.From), EarliestStart: q.From, LatestEnd: q.To,
		Limit: corehour.MaxPrice, MaxCarbon: NoCarbonCap, CarbonPrice: q.CarbonPrice, MinSLA: corehour.SLABasic, Interruptible: true,
		MaxTakeOrPay: corehour.WholeShare, MinFill: 1, MaxLeases: 1,
	}
	bid.Regions.Allow.Set(q.Region)
	bid.Providers.AllowAll = true
	return bid
}

// OfferDepth lists the best levels of offers with units free over all of
// [From, To), the least effective price first: the units free and how many
// offers have them.
func (b *Book) OfferDepth(now corehour.Minute, q DepthQuery) (levels []Level) {
	b.begin(now)
	if q.From >= q.To {
		return nil
	}
	bid := q.probe()
	b.beginSearch(&bid)
	b.search.all = true
	defer func() { b.search.all = false }()
	for {
		i, ok := b.next()
		if !ok {
			return levels
		}
		price := corehour.Price(i.key)
		if n := len(levels); n == 0 || levels[n-1].Price != price {
			if n == q.Levels {
				return levels
			}
			levels = append(levels, Level{Price: price})
		}
		l := &levels[len(levels)-1]
		l.Units += b.fewest(b.supply.orders.at(i.at), q.From, q.To)
		l.Orders++
		b.goOn(i.at, i)
	}
}

// BidDepth lists the best levels of resting bids that allow the region and that
// capacity free over exactly [From, To) could give a lease, the highest limit
// first: the units open and how many bids seek them.
func (b *Book) BidDepth(now corehour.Minute, q DepthQuery) (levels []Level) {
	b.begin(now)
	if q.From >= q.To {
		return nil
	}
	s := &b.turns
	s.begin(len(b.bidClasses.all), filter{
		any: slotsOf(uint32(q.From), uint32(q.To)), mask: 1 << (q.Region & 63), lo: uint32(q.To), hi: uint32(q.From), length: ^uint32(q.To - q.From),
		floor: ^uint32(0), org: nobody,
	}, 0)
	for id := range b.bidClasses.all {
		if t := &b.demand.trees[id]; t.root != 0 {
			s.enter(t, uint32(id), scaleOfLimits(0, ^uint32(0)))
		}
	}
	for len(s.heap) > 0 {
		if s.heap[0].kind < itemLease {
			// From here on a lot has its very limit, which its rank may only bound.
			if lot, ok := s.follow(&b.demand.index); ok {
				if slot := b.demand.foremost(lot); b.couldUse(slot, &q) {
					s.heap.push(&item{key: -b.demand.orders.at(slot).price, kind: itemLease, at: slot})
				}
			}
			continue
		}
		slot := s.heap[0].at
		s.heap.drop()
		r := b.demand.orders.at(slot)
		limit := corehour.Price(r.price)
		if n := len(levels); n == 0 || levels[n-1].Price != limit {
			if n == q.Levels {
				return levels
			}
			levels = append(levels, Level{Price: limit})
		}
		l := &levels[len(levels)-1]
		l.Units += corehour.Units(r.open)
		l.Orders++
		if !r.queued {
			continue
		}
		if next := b.demand.next(slot); next != 0 {
			s.heap.push(&item{key: -b.demand.orders.at(next).price, kind: itemLease, at: next})
		}
	}
	return levels
}

// couldUse reports whether capacity over a query's minutes could give a resting
// bid a lease.
func (b *Book) couldUse(slot uint32, q *DepthQuery) bool {
	r := b.demand.orders.at(slot)
	of := b.bidTermsOf(r)
	if of.regions != 0 && !b.regions.at(of.regions).Has(q.Region) {
		return false
	}
	t := terms{first: max(corehour.Minute(of.earliest), b.now), end: corehour.Minute(of.latestEnd), d: of.piece(r)}
	if r.taken != 0 {
		t.taken = *b.taken.at(r.taken)
	}
	b.runs = t.runsIn(b.runs[:0], q.From, q.To)
	return len(b.runs) > 0
}
